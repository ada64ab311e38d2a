package patience

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCountdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan time.Duration, 1)
		c := startCountdown(time.Second, func() { ended <- time.Since(began) })
		if took := <-ended; took != time.Second {
			t.Errorf("it took %s", took)
		}
		c.stop()
	})
}

func TestCountdownThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{0, time.Second / parts, time.Second - 1} {
			c := startCountdown(time.Second, func() { t.Errorf("called although it was stopped after %s", after) })
			time.Sleep(after)
			c.stop()
			time.Sleep(2 * time.Second)
		}
	})
}

// What keeps a part from ending on time, here the lock, matters only if it is one of the last.
func TestCountdownGoesOnUntilNothingDisturbsIt(t *testing.T) {
	const length = time.Second
	for _, c := range []struct {
		name string
		part int // which of them is late
		late time.Duration
		ends time.Duration
	}{
		{"on time", parts, 0, length},
		{"as late as timers are", parts, usualDelay, length + usualDelay},
		{"early, and made good by the others", 1, 300 * time.Millisecond, length},
		{"the last", parts, 300 * time.Millisecond, length + 300*time.Millisecond + undisturbed*length/parts},
		{"beyond the end", 2, 5 * time.Second, length*2/parts + 5*time.Second + undisturbed*length/parts},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan time.Duration, 1)
				d := startCountdown(length, func() { ended <- time.Since(began) })
				time.Sleep(length*time.Duration(c.part)/parts - length/parts/2)
				d.tickLate(length/parts/2 + c.late)
				if took := <-ended; took != c.ends {
					t.Errorf("it took %s, want %s", took, c.ends)
				}
				d.stop()
			})
		})
	}
}

// tickLate makes the part that is running end only after that time.
func (c *countdown) tickLate(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Reset(after)
}
