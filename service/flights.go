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

// flights are the flights of one replica, at most one per key, and so many at a time. They are ready for use once panicked and most are set.
type flights struct {
	panicked func(key string, defect any) error // tells of a flight that panicked, and returns what its requests get
	most     int                                // at a time: a flight goes on when whoever started it has left
	active   Gauge
	mu       sync.Mutex
	byKey    map[string]*flight
}

// join returns the key's flight; if there is none, it starts one that runs fly on a goroutine of its own, so that nobody's
// cancellation ends it, and reports true. If there are as many as may be, it returns one that has ended in a refusal.
func (fs *flights) join(key string, fly func() flightResult) (*flight, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.byKey[key]; ok {
		return f, false
	}
	if len(fs.byKey) >= fs.most {
		return refusedFlight(), false
	}
	if fs.byKey == nil {
		fs.byKey = make(map[string]*flight)
	}
	f := &flight{ended: make(chan struct{})}
	fs.byKey[key] = f
	fs.active.Inc()
	go fs.run(key, f, fly)
	return f, true
}

func refusedFlight() *flight {
	f := &flight{ended: make(chan struct{}), flightResult: flightResult{err: &Unavailable{Reason: ReasonOverloaded, RetryAfter: retrySoon}}}
	close(f.ended)
	return f
}

func (fs *flights) run(key string, f *flight, fly func() flightResult) {
	defer func() {
		if defect := recover(); defect != nil {
			f.flightResult = flightResult{err: fs.panicked(key, defect)} // told here: those who wait for it may all have gone
		}
		fs.mu.Lock()
		delete(fs.byKey, key)
		fs.active.Dec()
		fs.mu.Unlock()
		close(f.ended)
	}()
	f.flightResult = fly()
}

// wait returns nil when no flight is left, or the context's error. Flights may begin meanwhile, which a sync.WaitGroup would not bear: whoever
// shared the last one may begin another as it ends.
func (fs *flights) wait(ctx context.Context) error {
	for f := fs.one(); f != nil; f = fs.one() {
		if _, err := f.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// one returns a flight that is under way, nil if none is.
func (fs *flights) one() *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.byKey {
		return f
	}
	return nil
}
