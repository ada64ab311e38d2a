package probe

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func pressureOf(waited time.Duration) []byte {
	return fmt.Appendf(nil, "some avg10=9.07 avg60=46.81 avg300=58.30 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", waited.Microseconds())
}

// TestStarved: tasks waited for nine tenths of the time from 2 to 4 s, and for a fifth of it before and after.
func TestStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		watched(t, 6*time.Second, cpuPressureFrom(func() ([]byte, error) {
			at := time.Since(began)
			starved := max(0, min(at, 4*time.Second)-2*time.Second)
			return pressureOf((at-starved)/5 + starved*9/10), nil
		}), "pressure free 0s", "pressure starved 2s", "pressure free 4s")
	})
}

func TestPressureWithoutAccount(t *testing.T) { withoutAccount(t, cpuPressureFrom, pressureOf(0)) }

func FuzzPressureTotal(f *testing.F) {
	f.Add(pressureOf(7 * time.Second))
	f.Add([]byte("some avg10=0.00 avg60=0.00 avg300=0.00 total=-1\n"))
	f.Add([]byte("full avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"))
	f.Add([]byte("some avg10=0.00 avg60=0.00 avg300=0.00 total=9223372036854775807"))
	f.Fuzz(func(t *testing.T, text []byte) {
		total, err := pressureTotal(text)
		if err == nil {
			again, err := pressureTotal(pressureOf(total))
			if err != nil || again != total {
				t.Errorf("%s of %s: %v", again, total, err)
			}
		}
	})
}
