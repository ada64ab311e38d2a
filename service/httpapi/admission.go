package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// admission is admission control: it lets only so many requests be served at a time, and sheds the load beyond. As many more
// may wait, each for a short while. A queue that may grow serves nobody in time, and a request that is refused at once costs next
// to nothing.
type admission struct {
	serving chan struct{} // holds a token for each request that is served
	waiting chan struct{} // holds a token for each request that waits
	maxWait time.Duration
}

func newAdmission(most int, maxWait time.Duration) *admission {
	return &admission{serving: make(chan struct{}, most), waiting: make(chan struct{}, most), maxWait: maxWait}
}

// acquire waits for a place. Whoever got one must release it.
func (a *admission) acquire(ctx context.Context) error {
	select {
	case a.serving <- struct{}{}:
		return nil
	default:
	}
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		return errOverloaded()
	}
	timeout := time.NewTimer(a.maxWait)
	defer timeout.Stop()
	select {
	case a.serving <- struct{}{}:
		return nil
	case <-timeout.C:
	case <-ctx.Done():
	}
	return errOverloaded()
}

func (a *admission) release() { <-a.serving }

// overloadRetryAfter is the Retry-After of a request that was not admitted: places come free many times a second.
const overloadRetryAfter = time.Second

func errOverloaded() error {
	return &service.Unavailable{Reason: service.ReasonOverloaded, RetryAfter: overloadRetryAfter}
}

// admitted answers a request under admission control. Whoever comes here has shown a key and sent a body: nobody holds a place who is
// waited for.
func (a *API) admitted(r *http.Request, answer func() error) error {
	if err := a.admission.acquire(r.Context()); err != nil {
		return err
	}
	defer a.admission.release()
	return answer()
}
