package service_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
)

var errDown = errors.New("down")

// storeBudget is how long a request waits in vain for a store that is down.
const storeBudget = 250 * time.Millisecond

// store is a store as the gateway needs it, in memory: a lease store with answers, an outbox and a ledger store. All gateways of
// a test share it.
type store struct {
	hasOutbox bool // rows go to the outbox, not to the ledger store
	mu        sync.Mutex
	down      bool
	back      time.Time // the end of the last outage
	locks     map[string]lock
	answers   map[string]kept
	outbox    map[service.Mark]service.Row
	marks     int
	rows      map[string]service.Row
	empty     *service.Limited // what Read and Take say of buckets, if anything
	taken     int              // times that Take was asked
	refusals  int              // of answers that are never taken
}

type lock struct {
	token string
	until time.Time
}

type kept struct {
	answer    service.Answer
	expiresAt time.Time
}

func newStore() *store {
	return &store{
		locks: map[string]lock{}, answers: map[string]kept{},
		outbox: map[service.Mark]service.Row{}, rows: map[string]service.Row{},
	}
}

// enter is how every operation begins: at once while the store is up, with an error after a wait while it is down.
func (s *store) enter(ctx context.Context) error {
	s.mu.Lock()
	if !s.down {
		return ctx.Err() // locked, even so
	}
	s.mu.Unlock()
	select {
	case <-time.After(storeBudget):
	case <-ctx.Done():
	}
	s.mu.Lock()
	return errDown
}

// forget is what a store does that comes back empty.
func (s *store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.locks)
	clear(s.answers)
}

func (s *store) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down && !down {
		s.back = time.Now()
	}
	s.down = down
}

// Up is what a Line would know: what is down was found out at once.
func (s *store) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.down
}

// UpSince is when it was last set to be up again.
func (s *store) UpSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.back
}

// holds reports whether somebody's lease of the key is running.
func (s *store) holds(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.locks[key]
	return ok && time.Now().Before(l.until)
}

func (s *store) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return service.Reply{}, err
	}
	if k, ok := s.answers[key]; ok && time.Now().Before(k.expiresAt) {
		reply := service.Reply{Verdict: service.Answered, Answer: k.answer, ExpiresAt: k.expiresAt}
		if hit != nil && !s.hasOutbox {
			row := *hit
			row.CallID, row.Token = k.answer.CallID, k.answer.Token
			s.rows[row.ID()], reply.RowWritten = row, true
		}
		return reply, nil
	}
	if l, ok := s.locks[key]; ok && l.token != token && time.Now().Before(l.until) {
		return service.Reply{Verdict: service.Refused}, nil
	}
	s.locks[key] = lock{token, time.Now().Add(lease)}
	return service.Reply{Verdict: service.Granted}, nil
}

func (s *store) Settle(ctx context.Context, end service.Settlement) (service.Receipt, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return service.Receipt{}, err
	}
	mark := service.Mark("")
	switch {
	case end.Answer.CallID == poison && !s.hasOutbox:
		s.refusals++
		return service.Receipt{}, fmt.Errorf("%w: a poisonous answer", dependency.ErrNever)
	case end.Row != nil && s.hasOutbox:
		mark = s.append(*end.Row)
	case end.Row != nil:
		s.rows[end.Row.ID()] = *end.Row
	}
	l, locked := s.locks[end.Key]
	locked = locked && time.Now().Before(l.until)
	k, answered := s.answers[end.Key]
	answered = answered && time.Now().Before(k.expiresAt)
	if locked && l.token == end.Token || !locked && !answered {
		k, answered = kept{end.Answer, end.ExpiresAt}, true
		s.answers[end.Key] = k
	}
	if l.token == end.Token {
		delete(s.locks, end.Key)
	}
	return service.Receipt{Stored: answered && k.answer == end.Answer, Mark: mark}, nil
}

func (s *store) Release(ctx context.Context, key, token string) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err == nil && s.locks[key].token == token {
		delete(s.locks, key)
	}
	return err
}

func (s *store) Read(ctx context.Context, hit service.Row, _ []service.Bucket) (service.Answer, service.Mark, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	switch {
	case err != nil:
		return service.Answer{}, "", err
	case s.empty != nil:
		return service.Answer{}, "", s.empty
	}
	k, ok := s.answers[hit.Key]
	if !ok || !time.Now().Before(k.expiresAt) {
		return service.Answer{}, "", service.ErrNoAnswer
	}
	hit.CallID, hit.Token = k.answer.CallID, k.answer.Token
	return k.answer, s.append(hit), nil
}

func (s *store) Take(ctx context.Context, _ []service.Bucket) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	s.taken++
	if err == nil && s.empty != nil {
		return s.empty
	}
	return err
}

func (s *store) Find(ctx context.Context, key string, grace time.Duration) (service.Answer, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return service.Answer{}, err
	}
	if k, ok := s.answers[key]; ok && time.Now().Before(k.expiresAt.Add(grace)) {
		return k.answer, nil
	}
	return service.Answer{}, service.ErrNoAnswer
}

func (s *store) append(row service.Row) service.Mark {
	s.marks++
	mark := service.Mark(strconv.Itoa(s.marks))
	s.outbox[mark] = row
	return mark
}

func (s *store) Append(ctx context.Context, row service.Row) (service.Mark, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return "", err
	}
	return s.append(row), nil
}

func (s *store) Forget(ctx context.Context, marks []service.Mark) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, mark := range marks {
		delete(s.outbox, mark)
	}
	return nil
}

func (s *store) Orphans(ctx context.Context, age time.Duration, limit int) ([]service.Entry, int64, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	var entries []service.Entry
	for mark, row := range s.outbox {
		if time.Since(row.At) > age && len(entries) < limit {
			entries = append(entries, service.Entry{Row: row, Mark: mark})
		}
	}
	return entries, int64(len(s.outbox)), nil
}

func (s *store) WriteAsync(ctx context.Context, rows []service.Row) error { return s.Write(ctx, rows) }

func (s *store) Write(ctx context.Context, rows []service.Row) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r service.Row) bool { return r.CallID == poison }) {
		return fmt.Errorf("%w: a poisonous row", dependency.ErrNever)
	}
	for _, row := range rows {
		if s.rows[row.ID()].Kind != service.RowCall {
			s.rows[row.ID()] = row
		}
	}
	return nil
}

// poison is the id of a call of which a ledger store takes no answer and no row, nor any row that comes with one.
const poison = "poison"

// seize gives the key to a holder from outside of the test.
func (s *store) seize(key, token string, length time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[key] = lock{token, time.Now().Add(length)}
}

func (s *store) holder(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locks[key].token
}

func (s *store) put(key string, answer service.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[key] = kept{answer, time.Now().Add(ttl)}
}

func (s *store) answer(key string) (service.Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.answers[key]
	return k.answer, ok
}

// booked returns a copy of the rows, by id.
func (s *store) booked() []service.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.rows))
}

func (s *store) inOutbox() []service.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.outbox))
}

// model is an upstream that takes its time, counts, and knows when it is called twice at once for one key.
type model struct {
	latency  time.Duration
	deaf     bool // it does not notice that the caller has hung up
	panics   bool
	err      error
	billed   service.Answer // what a call cost that ended in err, if anything
	name     string         // of every call; "" for names of their own
	mu       sync.Mutex
	calls    map[string]int
	inFlight map[string]int
	overlaps int
	ends     []callEnd
	until    time.Time // the latest request's deadline
}

type callEnd struct {
	key     string
	at      time.Time
	aborted bool
}

func newModel(latency time.Duration) *model {
	return &model{latency: latency, calls: map[string]int{}, inFlight: map[string]int{}}
}

func (m *model) Complete(ctx context.Context, r service.Request) (service.Answer, error) {
	key := r.Key()
	id := m.begin(key, r.Until)
	if m.panics {
		panic("model")
	}
	var gone <-chan struct{}
	if !m.deaf {
		gone = ctx.Done()
	}
	select {
	case <-time.After(m.latency):
	case <-gone:
		m.end(key, true)
		return service.Answer{}, ctx.Err()
	}
	m.end(key, false)
	if m.err != nil {
		return m.billed, m.err
	}
	return service.Answer{CallID: cmp.Or(m.name, id), Text: "answer to " + r.Query.Prompt, Cost: 7}, nil
}

func (m *model) begin(key string, until time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = until
	m.calls[key]++
	m.inFlight[key]++
	if m.inFlight[key] > 1 {
		m.overlaps++
	}
	return fmt.Sprintf("call-%s-%d", key[:6], m.calls[key])
}

func (m *model) end(key string, aborted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight[key]--
	m.ends = append(m.ends, callEnd{key, time.Now(), aborted})
}

func (m *model) total() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := 0
	for _, n := range m.calls {
		total += n
	}
	return total
}

// tally is a Meter.
type tally struct {
	charged     atomic.Int64
	shared, own atomic.Int64 // refusals by whose bucket was empty
	panics      atomic.Int64
}

func (t *tally) Looked(string)   {}
func (t *tally) Charged(n int64) { t.charged.Add(n) }
func (t *tally) Panicked()       { t.panics.Add(1) }

func (t *tally) Limited(_, bucket string) {
	if bucket == "own" {
		t.own.Add(1)
	} else {
		t.shared.Add(1)
	}
}

// world is what the gateways of a test share.
type world struct {
	redis, postgres *store
	model           *model
	tally           tally
}

func newWorld(latency time.Duration) *world {
	w := &world{redis: newStore(), postgres: newStore(), model: newModel(latency)}
	w.redis.hasOutbox = true
	return w
}

const (
	lease          = 5 * time.Second
	requestTimeout = 10 * time.Second
	ttl            = time.Minute
	toAbort        = 500 * time.Millisecond
	maxFlights     = 1000 // more than there are keys in any test of something else
)

// gateway makes one replica. Its ledger runs only if the test runs it.
func (w *world) gateway(name string, change ...func(*service.Settings)) (*service.Gateway, *service.Ledger) {
	return w.gatewayWith(name, []service.LeaseStore{w.redis, w.postgres}, change...)
}

func (w *world) gatewayWith(name string, stores []service.LeaseStore, change ...func(*service.Settings)) (*service.Gateway, *service.Ledger) {
	return w.replica(name, stores, w.model, change...)
}

// gatewayOf makes a replica that calls another upstream than the model.
func (w *world) gatewayOf(name string, upstream service.Upstream) (*service.Gateway, *service.Ledger) {
	return w.replica(name, []service.LeaseStore{w.redis, w.postgres}, upstream)
}

func (w *world) replica(name string, stores []service.LeaseStore, upstream service.Upstream, change ...func(*service.Settings)) (*service.Gateway, *service.Ledger) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	ledger := service.NewLedger(w.postgres, w.redis, 1000, quiet)
	settings := service.Settings{
		Replica: name, Boot: name + "-boot", TTL: ttl, Lease: lease, RequestTimeout: requestTimeout, MaxFlights: maxFlights,
	}
	for _, c := range change {
		c(&settings)
	}
	return service.New(settings, service.Ports{
		Cache: w.redis, Buckets: w.redis, LeaseStores: stores, Answers: w.postgres,
		Upstream: upstream, Ledger: ledger, Meter: &w.tally, Log: quiet,
	}), ledger
}

func ask(id, prompt string) service.Request {
	return service.Request{ID: id, Tenant: "acme", Query: service.Query{Model: "m", Prompt: prompt, MaxTokens: 8}}
}
