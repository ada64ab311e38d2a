package dependency_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

func TestDeadline(t *testing.T) {
	tests := []struct {
		name  string
		in    time.Duration // its first moment, from now
		moved time.Duration // another one, 0 for none
		fires time.Duration // from now
	}{
		{"on time", time.Second, 0, time.Second},
		{"moved", time.Second, 3 * time.Second, 3 * time.Second},
		{"after the process stood still", -5 * time.Second, 0, 200 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				fired := make(chan time.Duration, 1)
				d := dependency.StartDeadline(began.Add(test.in), func() { fired <- time.Since(began) })
				if test.moved > 0 {
					d.Reset(began.Add(test.moved))
				}
				if got := <-fired; got != test.fires {
					t.Errorf("fired after %s, not %s", got, test.fires)
				}
			})
		})
	}
}

func TestStoppedDeadlineDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dependency.StartDeadline(time.Now().Add(time.Second), func() { t.Error("fired") }).Stop()
		time.Sleep(time.Hour)
	})
}
