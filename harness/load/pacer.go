package load

import "time"

// pacer is called by vegeta before each request.
type pacer struct {
	*generator
	shots <-chan *shot
	own   bool    // vegeta's pacing goroutine has its own thread by now
	next  *shot   // the first that is not due yet
	gone  []*shot // due, and not handed to a worker yet
}

// Pace waits itself, more precisely than vegeta would, and sends at once what can be sent without waiting; a worker only
// has to follow. Requests that are due together are all sent before the first worker is woken, since the workers would
// fight with what is still to be sent for the processor. So a thousand take ten milliseconds to send, and an answer that
// comes sooner than that is read, and its latency ends, a little later than it came.
func (p *pacer) Pace(time.Duration, uint64) (wait time.Duration, stop bool) {
	if !p.own {
		ownThread()
		p.own = true
	}
	if len(p.gone) == 0 && !p.sendNext() {
		return 0, true
	}
	s := p.gone[0]
	p.gone = p.gone[1:]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due[s.seq] = s
	return 0, false
}

// sendNext waits for the next request's moment and sends all that are due at it. It is false at the end.
func (p *pacer) sendNext() bool {
	if p.next == nil {
		p.next = <-p.shots
	}
	if p.next == nil {
		return false
	}
	if !p.clock.waitUntil(p.ctx, p.next.call.Due) {
		p.record(p.unsent(p.next))
		return false
	}
	for due := p.next.call.Due; p.next != nil && p.next.call.Due == due; {
		p.trySend(p.next)
		p.gone = append(p.gone, p.next)
		p.next = <-p.shots
	}
	return true
}

// Rate is for vegeta's reports only.
func (p *pacer) Rate(time.Duration) float64 { return 0 }
