package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// lookahead is how many requests are made ready before they are due, at least.
	lookahead = 256
	// spareWorkers is how many of vegeta's workers wait from the start beside one for each request of the largest herd; never
	// more in all than requests. To add one later holds the next request up until the new one runs, which takes 100 ms just
	// after a herd. A thousand cost some megabytes.
	spareWorkers = 1000
	// fewConnections is the number of requests due at once that need no connections opened ahead of them.
	fewConnections = 8
	// preconnectAhead, and preconnectEach per connection, is how long before many requests are due at once their
	// connections are opened. On two busy cores a thousand take about 100 ms.
	preconnectAhead = 100 * time.Millisecond
	preconnectEach  = 100 * time.Microsecond
	// aftermath is how long a herd, and then its answers, keep the processors busy that the next requests need.
	aftermath = 1500 * time.Millisecond
)

// generator sends one plan. vegeta only paces and spawns workers: it calls the pacer for each request, and runs RoundTrip in
// a worker. What is sent, timed and recorded is the generator's own. It is the http.RoundTripper of vegeta's client.
type generator struct {
	ctx      context.Context
	idPrefix string // of request ids
	profile  Profile
	to       Target
	seed     uint64
	clock    clock
	pool     *pool
	rec      *evidence.Recorder // nil in a warm-up

	calling   sync.Mutex
	onRequest func(evidence.Request) // may be nil

	mu        sync.Mutex
	forWorker map[uint64]*plannedRequest // due, and not taken by a worker yet, by sequence number
	err       error                      // the first
}

// newGenerator makes a generator for the profile's stages; it lacks a clock.
func newGenerator(ctx context.Context, p Profile, to Target, seed uint64) (*generator, error) {
	addr, err := to.addr()
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, err
	}
	return &generator{ctx: ctx, idPrefix: strconv.FormatUint(seed, 16), profile: p, to: to, seed: seed, pool: &pool{addr: addr},
		forWorker: map[uint64]*plannedRequest{}}, nil
}

// run sends everything and returns once every planned request is recorded.
func (g *generator) run() error {
	defer g.pool.close()
	defer tuneRuntime()()
	burst, planned, err := size(g.profile.Stages)
	if err != nil {
		return err
	}
	var beside panics.Group
	beside.Go(func() error { g.preconnect(); return nil })
	ready := make(chan *plannedRequest, max(burst, lookahead))
	beside.Go(func() error { g.prepareAll(ready); return nil })
	// vegeta adds a worker whenever none is free, without a limit: there can never be too few.
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: g}), vegeta.Workers(min(planned, burst+spareWorkers)))
	for range attacker.Attack(g.vegetaTarget, &pacer{generator: g, ready: ready}, 0, "") {
		// RoundTrip has recorded it already.
	}
	for r := range ready {
		g.record(g.unsent(r))
	}
	if err := beside.Wait(); err != nil {
		return fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return g.err
}

// prepareAll makes requests ready ahead of their time, as far as there is room for them.
func (g *generator) prepareAll(ready chan<- *plannedRequest) {
	defer close(ready)
	for e := range schedule(g.profile.Stages) {
		ready <- g.prepare(e)
	}
}

// preconnect opens connections ahead of requests that are due at once, as many clients would have open. Without it they would
// be sent one after another, as fast as connections can be opened. The generator's threads then come first until the worst is
// over.
func (g *generator) preconnect() {
	for b := range bursts(g.profile.Stages) {
		if b.n <= fewConnections {
			continue
		}
		ahead := preconnectAhead + time.Duration(b.n)*preconnectEach
		if !g.clock.sleepUntil(g.ctx, g.clock.start+b.due-ahead) {
			return
		}
		g.pool.preconnect(g.ctx, int(b.n))
		restore := raisePriority()
		g.clock.sleepUntil(g.ctx, g.clock.start+b.due+aftermath)
		restore()
	}
}

// vegetaTarget makes the request that vegeta believes it sends; it brings the sequence number to RoundTrip.
func (g *generator) vegetaTarget(t *vegeta.Target) error {
	t.Method, t.URL = http.MethodGet, g.to.URL
	return nil
}

var errNotPlanned = errors.New("no planned request has this sequence number")

// RoundTrip follows the planned request whose turn it is, records it, and leaves vegeta with an empty answer.
func (g *generator) RoundTrip(req *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(req.Header.Get("X-Vegeta-Seq"), 10, 64)
	r := g.take(seq)
	if err != nil || r == nil {
		g.fail(errNotPlanned)
		return nil, errNotPlanned
	}
	g.record(g.follow(r))
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

func (g *generator) take(seq uint64) *plannedRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.forWorker[seq]
	delete(g.forWorker, seq)
	return r
}

func (g *generator) record(r evidence.Request) {
	evidence.Requests.Put(g.rec, r)
	if g.onRequest == nil {
		return
	}
	g.calling.Lock()
	defer g.calling.Unlock()
	g.onRequest(r)
}

// fail keeps the first error, for run to return.
func (g *generator) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
}
