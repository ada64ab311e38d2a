package service

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// flight is the work on one key that all of this replica's requests for it share.
type flight struct {
	landed chan struct{} // closed once landing is set
	landing
}

// landing is how a flight ended.
type landing struct {
	answer Answer
	source Source // as the request sees it that started the flight
	noted  bool   // that request's row is
	err    error
}

// wait returns the landing, or the context's error if that ends first; the flight goes on for the others.
func (f *flight) wait(ctx context.Context) (landing, error) {
	select {
	case <-f.landed:
		return f.landing, nil
	case <-ctx.Done():
		return landing{}, ctx.Err()
	}
}

// flights are the flights of one replica, at most one per key. The zero value is ready for use.
type flights struct {
	active Gauge
	mu     sync.Mutex
	byKey  map[string]*flight
	all    sync.WaitGroup
}

// join returns the key's flight; if there is none, it starts one that runs fly on a goroutine of its own, so that nobody's
// cancellation ends it, and reports true.
func (fs *flights) join(key string, fly func() landing) (*flight, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.byKey[key]; ok {
		return f, false
	}
	if fs.byKey == nil {
		fs.byKey = make(map[string]*flight)
	}
	f := &flight{landed: make(chan struct{})}
	fs.byKey[key] = f
	fs.active.Inc()
	fs.all.Go(func() { fs.run(key, f, fly) })
	return f, true
}

func (fs *flights) run(key string, f *flight, fly func() landing) {
	defer func() {
		if defect := recover(); defect != nil {
			f.landing = landing{err: fmt.Errorf("flight panicked: %v\n%s", defect, debug.Stack())}
		}
		fs.mu.Lock()
		delete(fs.byKey, key)
		fs.mu.Unlock()
		fs.active.Dec()
		close(f.landed)
	}()
	f.landing = fly()
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
