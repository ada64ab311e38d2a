package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// door lets only so many in at a time. As many more may wait before it, each for a short while: a queue that may grow serves
// nobody in time, and who is told at once to come again costs next to nothing.
type door struct {
	inside   chan struct{} // holds a token for each that is in
	waiting  chan struct{} // and for each that waits
	patience time.Duration
}

func newDoor(most int, patience time.Duration) *door {
	return &door{inside: make(chan struct{}, most), waiting: make(chan struct{}, most), patience: patience}
}

// enter waits for a place. Whoever got one must leave.
func (d *door) enter(ctx context.Context) error {
	select {
	case d.inside <- struct{}{}:
		return nil
	default:
	}
	select {
	case d.waiting <- struct{}{}:
		defer func() { <-d.waiting }()
	default:
		return errOverloaded()
	}
	patience := time.NewTimer(d.patience)
	defer patience.Stop()
	select {
	case d.inside <- struct{}{}:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	return errOverloaded()
}

func (d *door) leave() { <-d.inside }

// comeAgain is the advice to whom the door turned away: places come free many times a second.
const comeAgain = time.Second

func errOverloaded() error {
	return &service.Unavailable{Reason: service.ReasonOverloaded, RetryAfter: comeAgain}
}

// admitted lets a handler work behind the door. It is the first thing that happens to a request, so that turning one away
// takes neither its body nor any store.
func (a *API) admitted(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.door.enter(r.Context()); err != nil {
			return err
		}
		defer a.door.leave()
		return h(w, r)
	}
}
