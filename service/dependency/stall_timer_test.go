package dependency

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStallTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan time.Duration, 1)
		c := startStallTimer(time.Second, func() { ended <- time.Since(began) })
		if took := <-ended; took != time.Second {
			t.Errorf("it took %s", took)
		}
		c.stop()
	})
}

func TestStoppedStallTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{0, time.Second / ticks, time.Second - 1} {
			c := startStallTimer(time.Second, func() { t.Errorf("fired although it was stopped after %s", after) })
			time.Sleep(after)
			c.stop()
			time.Sleep(2 * time.Second)
		}
	})
}

// What keeps a tick from coming on time, here the lock, matters only if it is one of the last.
func TestStallTimerGoesOnUntilTicksAreOnTime(t *testing.T) {
	const length = time.Second
	for _, c := range []struct {
		name string
		tick int // which of them is late
		late time.Duration
		ends time.Duration
	}{
		{"on time", ticks, 0, length},
		{"as late as timers are", ticks, timerSlack, length + timerSlack},
		{"early, and made good by the others", 1, 300 * time.Millisecond, length},
		{"the last", ticks, 300 * time.Millisecond, length + 300*time.Millisecond + onTimeTicks*length/ticks},
		{"beyond the latest end", 2, 5 * time.Second, length*2/ticks + 5*time.Second + length/ticks},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan time.Duration, 1)
				d := startStallTimer(length, func() { ended <- time.Since(began) })
				time.Sleep(length*time.Duration(c.tick)/ticks - length/ticks/2)
				d.tickLate(length/ticks/2 + c.late)
				if took := <-ended; took != c.ends {
					t.Errorf("it took %s, want %s", took, c.ends)
				}
				d.stop()
			})
		})
	}
}

// A process that is kept from the processor for good, as under a quota, waits no longer for that.
func TestStallTimerHasALatestEnd(t *testing.T) {
	const length, late = time.Second, 75 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan time.Duration, 1)
		d := startStallTimer(length, func() { ended <- time.Since(began) })
		for {
			d.tickLate(length/ticks + late)
			select {
			case took := <-ended:
				if most := mostLengths*length + 2*(length/ticks+late+time.Millisecond); took < mostLengths*length || took > most {
					t.Errorf("it took %s, and %s at most was to be", took, most)
				}
				return
			case <-time.After(length/ticks + late + time.Millisecond): // the tick has come
			}
		}
	})
}

// tickLate makes the next tick come only after that time.
func (c *stallTimer) tickLate(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Reset(after)
}
