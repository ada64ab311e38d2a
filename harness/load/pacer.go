package load

import "time"

// pacer is called by vegeta before each request.
type pacer struct {
	*generator
	ready     <-chan *plannedRequest
	hasThread bool              // vegeta's pacing goroutine has its own thread by now
	next      *plannedRequest   // the first that is not due yet
	due       []*plannedRequest // due, and not handed to a worker yet
}

// Pace waits itself, more precisely than vegeta would, and sends at once what can be sent without waiting; a worker only
// has to follow. Requests that are due together are all sent before the first worker is woken: workers would compete for the
// processor with what is still to be sent. So a thousand take ten milliseconds to send. An answer that comes sooner than that
// is read, and its latency ends, a little later than it came.
func (p *pacer) Pace(time.Duration, uint64) (wait time.Duration, stop bool) {
	if !p.hasThread {
		dedicateThread()
		p.hasThread = true
	}
	if len(p.due) == 0 && !p.sendNext() {
		return 0, true
	}
	r := p.due[0]
	p.due = p.due[1:]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forWorker[r.seq] = r
	return 0, false
}

// sendNext waits for the next request's moment and sends all that are due at it. It is false at the end.
func (p *pacer) sendNext() bool {
	if p.next == nil {
		p.next = <-p.ready
	}
	if p.next == nil {
		return false
	}
	if !p.clock.waitUntil(p.ctx, p.next.record.Due) {
		p.record(p.unsent(p.next))
		return false
	}
	for due := p.next.record.Due; p.next != nil && p.next.record.Due == due; {
		p.trySend(p.next)
		p.due = append(p.due, p.next)
		p.next = <-p.ready
	}
	return true
}

// Rate is for vegeta's reports only.
func (p *pacer) Rate(time.Duration) float64 { return 0 }
