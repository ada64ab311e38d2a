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

// What keeps a part from ending on time, here the lock, adds to the whole.
func TestCountdownLeavesOutWhatWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lost = 700 * time.Millisecond
		began, ended := time.Now(), make(chan time.Duration, 1)
		c := startCountdown(time.Second, func() { ended <- time.Since(began) })
		time.Sleep(time.Second / parts / 2)
		c.tickLate(lost)
		if took := <-ended; took != time.Second+lost {
			t.Errorf("it took %s", took)
		}
		c.stop()
	})
}

// Timers that are as late as they usually are do not make it longer.
func TestCountdownCountsUsualDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan time.Duration, 1)
		c := startCountdown(time.Second, func() { ended <- time.Since(began) })
		for range parts / 2 {
			time.Sleep(time.Second / parts / 2)
			c.tickLate(usualDelay)
			time.Sleep(time.Second/parts/2 + usualDelay)
		}
		if took := <-ended; took != time.Second {
			t.Errorf("it took %s", took)
		}
		c.stop()
	})
}

// tickLate makes the part that is running end that much too late.
func (c *countdown) tickLate(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Reset(c.slice/2 + by)
}
