package service

import (
	"errors"
	"runtime"
	"sync"
	"testing"
)

// TestPanicOfAFlightIsTold, also if nobody waits for the flight any more.
func TestPanicOfAFlightIsTold(t *testing.T) {
	told := errors.New("told")
	fs := flights{most: 1, panicked: func(key string, defect any) error {
		if key != "k" || defect != "defect" {
			t.Errorf("told of %v in %q", defect, key)
		}
		return told
	}}
	f, _ := fs.join("k", func() flightResult { panic("defect") })
	<-f.ended
	if !errors.Is(f.err, told) {
		t.Errorf("its requests get %v", f.err)
	}
}

// Whoever shared the last flight may begin another one as it ends, while two wait for the end of all, as at the end of a grace period: one that
// has given up by then, and one for flights that are aborted.
func TestFlightsBeginWhileTheirEndIsAwaited(t *testing.T) {
	for range 2000 {
		fs := flights{most: 1}
		end := make(chan struct{})
		shared, _ := fs.join("k", func() flightResult { <-end; return flightResult{} })
		var all sync.WaitGroup
		all.Go(func() {
			<-shared.ended
			next, _ := fs.join("k", func() flightResult { runtime.Gosched(); return flightResult{} })
			<-next.ended
		})
		for range 2 {
			all.Go(func() {
				if err := fs.wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		runtime.Gosched()
		close(end)
		all.Wait()
		if now := fs.active.Now(); now != 0 {
			t.Fatalf("%d flights are under way", now)
		}
	}
}
