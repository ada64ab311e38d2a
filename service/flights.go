package service

import (
	"context"
	"sync"
)

// flight is the work on one key that all of this replica's requests for that key share (single-flight).
type flight struct {
	ended chan struct{} // closed once flightResult is set
	flightResult
}

// flightResult is how a flight ended.
type flightResult struct {
	answer     Answer
	source     Source // as the request sees it that started the flight
	rowWritten bool   // the row of the request that started the flight
	err        error
}

// wait returns the result, or the context's error if that ends first; the flight goes on for the others.
func (f *flight) wait(ctx context.Context) (flightResult, error) {
	select {
	case <-f.ended:
		return f.flightResult, nil
	case <-ctx.Done():
		return flightResult{}, ctx.Err()
	}
}

// flights are the flights of one replica, at most one per key. They are ready for use once panicked is set.
type flights struct {
	panicked func(key string, defect any) error // tells of a flight that panicked, and returns what its requests get
	active   Gauge
	mu       sync.Mutex
	byKey    map[string]*flight
	all      sync.WaitGroup
}

// join returns the key's flight; if there is none, it starts one that runs fly on a goroutine of its own, so that nobody's
// cancellation ends it, and reports true.
func (fs *flights) join(key string, fly func() flightResult) (*flight, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.byKey[key]; ok {
		return f, false
	}
	if fs.byKey == nil {
		fs.byKey = make(map[string]*flight)
	}
	f := &flight{ended: make(chan struct{})}
	fs.byKey[key] = f
	fs.active.Inc()
	fs.all.Go(func() { fs.run(key, f, fly) })
	return f, true
}

func (fs *flights) run(key string, f *flight, fly func() flightResult) {
	defer func() {
		if defect := recover(); defect != nil {
			f.flightResult = flightResult{err: fs.panicked(key, defect)} // told here: those who wait for it may all have gone
		}
		fs.mu.Lock()
		delete(fs.byKey, key)
		fs.mu.Unlock()
		fs.active.Dec()
		close(f.ended)
	}()
	f.flightResult = fly()
}

// wait returns nil when no flight is left, or the context's error.
func (fs *flights) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		fs.all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
