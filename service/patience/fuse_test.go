package patience_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

func TestFuse(t *testing.T) {
	tests := []struct {
		name   string
		in     time.Duration // its first moment, from now
		putOff time.Duration // another one, 0 for none
		burns  time.Duration // from now
	}{
		{"on time", time.Second, 0, time.Second},
		{"put off", time.Second, 3 * time.Second, 3 * time.Second},
		{"after the process stood still", -5 * time.Second, 0, 200 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lit := time.Now()
				burnt := make(chan time.Duration, 1)
				f := patience.Light(lit.Add(test.in), func() { burnt <- time.Since(lit) })
				if test.putOff > 0 {
					f.PutOff(lit.Add(test.putOff))
				}
				if got := <-burnt; got != test.burns {
					t.Errorf("burnt out after %s, not %s", got, test.burns)
				}
			})
		})
	}
}

func TestStoppedFuseDoesNotBurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patience.Light(time.Now().Add(time.Second), func() { t.Error("burnt") }).Stop()
		time.Sleep(time.Hour)
	})
}
