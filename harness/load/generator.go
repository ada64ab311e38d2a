package load

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// dialTimeout is short, since the address of a dead container is a black hole.
	dialTimeout = 2 * time.Second
	// idleTimeout is below what servers and balancers usually grant (HAProxy as the fixtures set it, nginx, net/http), so
	// that it is not us who use a connection that the other side is about to close.
	idleTimeout = 5 * time.Second
	// lookahead is how many requests are made ready before they are due, at least.
	lookahead = 64
)

// generator sends one plan. vegeta paces it and provides the workers; the requests themselves are ours, so that they carry
// what the evidence needs. It is the http.RoundTripper of vegeta's client.
type generator struct {
	ctx       context.Context
	profile   Profile
	to        Target
	seed      uint64
	start     time.Duration
	now       func() time.Duration
	transport *http.Transport

	emitting sync.Mutex
	emit     func(evidence.Call)

	mu    sync.Mutex
	ready map[uint64]*shot // due, and waiting for a worker
	err   error
}

func newGenerator(ctx context.Context, p Profile, to Target, seed uint64, start time.Duration, now func() time.Duration, emit func(evidence.Call)) *generator {
	return &generator{ctx: ctx, profile: p, to: to, seed: seed, start: start, now: now, emit: emit, ready: map[uint64]*shot{},
		transport: newTransport()}
}

// newTransport speaks plain HTTP/1.1 with as many connections as it takes.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableCompression:  true,
		MaxIdleConns:        0, // no limit
		MaxIdleConnsPerHost: math.MaxInt,
		IdleConnTimeout:     idleTimeout,
		Protocols:           &protocols,
	}
}

// run sends everything and returns once every planned request is recorded.
func (g *generator) run(id string, stages []Stage) error {
	defer g.transport.CloseIdleConnections()
	burst := largestBurst(stages)
	shots := g.prepare(id, stages, max(burst, lookahead))
	// A worker is added whenever none is free. There can never be too few: no limit is set.
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: g}), vegeta.Workers(max(burst, vegeta.DefaultWorkers)))
	for range attacker.Attack(g.targeter(), g.pacer(shots), 0, "") {
		// RoundTrip has recorded it already.
	}
	for s := range shots {
		g.record(g.unsent(s))
	}
	return g.err
}

// prepare makes the requests ready ahead of their time, as far as there is room for them.
func (g *generator) prepare(id string, stages []Stage, room uint64) <-chan *shot {
	shots := make(chan *shot, room)
	go func() {
		defer close(shots)
		for s := range schedule(stages) {
			shots <- g.load(id, s)
		}
	}()
	return shots
}

// pacer waits for each request's moment and hands it to vegeta's next free worker.
func (g *generator) pacer(shots <-chan *shot) vegeta.Pacer { return pacer{g, shots} }

type pacer struct {
	*generator
	shots <-chan *shot
}

// Pace waits itself, more precisely than vegeta would.
func (p pacer) Pace(time.Duration, uint64) (wait time.Duration, stop bool) {
	s, ok := <-p.shots
	if !ok {
		return 0, true
	}
	if !waitUntil(p.ctx, p.start+s.due, p.now) {
		p.record(p.unsent(s))
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready[s.seq] = s
	return 0, false
}

// Rate is not asked for during an attack.
func (p pacer) Rate(time.Duration) float64 { return 0 }

// targeter gives vegeta a request to carry its sequence number in; RoundTrip exchanges it for the planned one.
func (g *generator) targeter() vegeta.Targeter {
	return func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodGet, g.to.URL
		return nil
	}
}

var errNotPlanned = errors.New("no planned request has this sequence number")

// RoundTrip sends the planned request whose turn it is, records it, and leaves vegeta with an empty answer.
func (g *generator) RoundTrip(req *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(req.Header.Get("X-Vegeta-Seq"), 10, 64)
	s := g.take(seq)
	if err != nil || s == nil {
		return nil, g.fail(errNotPlanned)
	}
	g.record(g.fire(s))
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

func (g *generator) take(seq uint64) *shot {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.ready[seq]
	delete(g.ready, seq)
	return s
}

func (g *generator) record(c evidence.Call) {
	g.emitting.Lock()
	defer g.emitting.Unlock()
	g.emit(c)
}

// fail keeps the first error, for run to return.
func (g *generator) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	return err
}
