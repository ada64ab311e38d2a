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
	"github.com/sentinel-chaos/sentinel/harness/guard"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// lookahead is how many requests are made ready before they are due, at least.
	lookahead = 256
	// spareWorkers is how many of vegeta's workers wait from the start beside those for the largest number of requests
	// due at once, if the plan is that long. To add one later holds the next request up until the new one runs, which
	// takes 100 ms just after a herd. A thousand cost some megabytes.
	spareWorkers = 1000
	// fewConnections is the number of requests due at once that need no connections opened ahead of them.
	fewConnections = 8
	// openAhead, and openEach per connection, is how long before many requests are due at once their connections are
	// opened. On two busy cores a thousand take about 100 ms.
	openAhead = 100 * time.Millisecond
	openEach  = 100 * time.Microsecond
	// aftermath is how long a herd, and then its answers, keep the processors busy that the next requests need.
	aftermath = 1500 * time.Millisecond
)

// generator sends one plan. vegeta's pacer calls it at each request's moment, and vegeta's workers carry the requests
// through; what they send and record is its own. It is the http.RoundTripper of vegeta's client.
type generator struct {
	ctx     context.Context
	name    string // prefix of request ids
	profile Profile
	to      Target
	seed    uint64
	clock   clock
	pool    *pool

	emitting sync.Mutex
	emit     func(evidence.Call)

	mu  sync.Mutex
	due map[uint64]*shot // waiting for a worker, by sequence number
	err error            // the first
}

// newGenerator makes a generator for the profile's stages.
func newGenerator(ctx context.Context, p Profile, to Target, seed uint64, name string, clk clock, emit func(evidence.Call)) (*generator, error) {
	addr, err := to.addr()
	if err == nil {
		err = p.validate()
	}
	if err != nil {
		return nil, err
	}
	return &generator{ctx: ctx, name: name, profile: p, to: to, seed: seed, clock: clk, pool: &pool{addr: addr}, emit: emit,
		due: map[uint64]*shot{}}, nil
}

// run sends everything and returns once every planned request is recorded.
func (g *generator) run() error {
	defer g.pool.close()
	defer undisturbed()()
	burst, planned, err := size(g.profile.Stages)
	if err != nil {
		return err
	}
	var beside guard.Group
	beside.Go(func() error { g.openAhead(); return nil })
	shots := make(chan *shot, max(burst, lookahead))
	beside.Go(func() error { g.prepareAll(shots); return nil })
	// A worker is added whenever none is free, without a limit: there can never be too few.
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: g}), vegeta.Workers(min(planned, burst+spareWorkers)))
	for range attacker.Attack(g.ticket, &pacer{generator: g, shots: shots}, 0, "") {
		// RoundTrip has recorded it already.
	}
	for s := range shots {
		g.record(g.unsent(s))
	}
	if err := beside.Wait(); err != nil {
		return fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return g.err
}

// prepareAll makes requests ready ahead of their time, as far as there is room for them.
func (g *generator) prepareAll(shots chan<- *shot) {
	defer close(shots)
	for s := range schedule(g.profile.Stages) {
		shots <- g.prepare(s)
	}
}

// openAhead opens connections for requests that are due at once, as many clients would have open: otherwise they would
// be due at once and sent one after another, as fast as connections can be opened. The generator then goes first until the
// worst is over.
func (g *generator) openAhead() {
	for b := range bursts(g.profile.Stages) {
		if b.n <= fewConnections {
			continue
		}
		ahead := openAhead + time.Duration(b.n)*openEach
		if !g.clock.sleepUntil(g.ctx, g.clock.start+b.due-ahead) {
			return
		}
		g.pool.fill(g.ctx, int(b.n))
		stop := goFirst()
		g.clock.sleepUntil(g.ctx, g.clock.start+b.due+aftermath)
		stop()
	}
}

// ticket is the request that vegeta believes it sends; it brings the sequence number to RoundTrip.
func (g *generator) ticket(t *vegeta.Target) error {
	t.Method, t.URL = http.MethodGet, g.to.URL
	return nil
}

var errNotPlanned = errors.New("no planned request has this sequence number")

// RoundTrip follows the planned request whose turn it is, records it, and leaves vegeta with an empty answer.
func (g *generator) RoundTrip(ticket *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(ticket.Header.Get("X-Vegeta-Seq"), 10, 64)
	s := g.take(seq)
	if err != nil || s == nil {
		g.fail(errNotPlanned)
		return nil, errNotPlanned
	}
	g.record(g.follow(s))
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: ticket}, nil
}

func (g *generator) take(seq uint64) *shot {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.due[seq]
	delete(g.due, seq)
	return s
}

func (g *generator) record(c evidence.Call) {
	g.emitting.Lock()
	defer g.emitting.Unlock()
	g.emit(c)
}

// fail keeps the first error, for run to return.
func (g *generator) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
}
