package main

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// ends stands for the status of a connection that ends without a reply.
const ends = 0

// attack is what hostile clients do all the time, each over one connection after another.
type attack struct {
	name    string
	clients int           // at a time
	rest    time.Duration // of each between two connections: an attack is to fill places, and not the processor
	wire    wire
	says    func() string // over one connection
	replies int           // that each connection must get, unless that is ends
	wants   []int         // the statuses that a reply may have
}

// attacks are those of clients without credentials and of one with a key of its own.
func attacks(key string) []attack {
	const slowly, gently = 500 * time.Millisecond, 20 * time.Millisecond
	const aByteASecond = time.Second
	query := asks("of somebody hostile")
	huge := `{"model":"m","prompt":"` + strings.Repeat("x", 2<<20) + `"}`
	madeUp := func() string { return "sk-" + rand.Text() }
	says := func(text string) func() string { return func() string { return text } }
	return []attack{
		{"flood without credentials", 4, gently, wire{}, says(rawRequest("POST", "/v1/query", query, closing)), 1, []int{401}},
		{"flood with made-up keys", 4, gently, wire{},
			func() string { return rawRequest("POST", "/v1/query", query, closing, bearing(madeUp())) }, 1, []int{401}},
		{"flood with one made-up key", 4, gently, wire{}, says(rawRequest("POST", "/v1/query", query, closing, bearing("sk-made-up"))), 1, []int{401}},
		{"flood with made-up tokens", 4, gently, wire{},
			func() string { return rawRequest("GET", "/v1/admin/usage?tenant=acme", "", closing, bearing(madeUp())) }, 1, []int{401}},
		{"slow upload without credentials", 24, slowly, wire{pause: aByteASecond}, says(rawRequest("POST", "/v1/query", query)), 1, []int{401}},
		{"slow upload with a made-up key", 24, slowly, wire{pause: aByteASecond},
			func() string { return rawRequest("POST", "/v1/query", query, bearing(madeUp())) }, 1, []int{401}},
		{"slow upload with a key", 24, slowly, wire{pause: aByteASecond}, says(rawRequest("POST", "/v1/query", query, bearing(key))), 1, []int{408}},
		{"slow chunks with a key", 24, slowly, wire{pause: aByteASecond},
			says("POST /v1/query HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + bearing(key) + "\r\n\r\n1\r\n{\r\n1\r\n\"\r\n"), 1, []int{408}},
		{"slow headers", 64, slowly, wire{pause: aByteASecond}, says("POST /v1/query HTTP/1.1\r\nHost: a\r\n" + bearing(key)), 1, []int{400, ends}},
		{"connections that say nothing", 64, slowly, wire{}, says(""), ends, nil},
		{"half-closed without credentials", 4, gently, wire{halfEnds: true}, says(rawRequest("POST", "/v1/query", query)), 1, []int{401, ends}},
		{"half-closed after a query", 4, gently, wire{halfEnds: true}, says(rawRequest("POST", "/v1/query", query, bearing(key))), 1, []int{200, ends}},
		{"half-closed within a body", 4, gently, wire{halfEnds: true},
			says(strings.TrimSuffix(rawRequest("POST", "/v1/query", query, bearing(key)), query[1:])), 1, []int{400, ends}},
		{"pipelined without credentials", 2, gently, wire{}, says(strings.Repeat(rawRequest("POST", "/v1/query", query), 9) +
			rawRequest("POST", "/v1/query", query, closing)), 10, []int{401}},
		{"pipelined with a key", 2, gently, wire{}, says(strings.Repeat(rawRequest("POST", "/v1/query", query, bearing(key)), 9) +
			rawRequest("POST", "/v1/query", query, bearing(key), closing)), 10, []int{200}},
		{"huge header", 4, slowly, wire{}, says(rawRequest("POST", "/v1/query", query, bearing(key), "X-Huge: "+strings.Repeat("x", 64<<10))), 1, []int{431}},
		{"many headers", 4, slowly, wire{}, says("GET /live HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", 8<<10) + "\r\n"), 1, []int{431}},
		{"huge target", 4, slowly, wire{}, says(rawRequest("GET", "/"+strings.Repeat("x", 64<<10), "")), 1, []int{431}},
		{"huge body without credentials", 4, slowly, wire{}, says(rawRequest("POST", "/v1/query", huge)), 1, []int{401}},
		{"huge body with a key", 2, slowly, wire{}, says(rawRequest("POST", "/v1/query", huge, bearing(key))), 1, []int{413}},
		{"huge body that is announced only", 24, slowly, wire{},
			says("POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n" + bearing(key) + "\r\n\r\n"), 1, []int{408}},
		{"body of brackets", 2, slowly, wire{}, says(rawRequest("POST", "/v1/query", strings.Repeat("[", 1<<20), bearing(key), closing)), 1, []int{400}},
		{"never reading", 4, slowly, wire{deaf: true}, says(strings.Repeat(rawRequest("POST", "/v1/query", asks(longQuestion), bearing(key)), 4)), ends, nil},
		{"never reading without credentials", 24, slowly, wire{deaf: true}, says(strings.Repeat(rawRequest("POST", "/v1/query", query), 200)), ends, nil},
		{"no HTTP", 4, gently, wire{}, says("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 1, []int{400}},
		{"another HTTP", 4, gently, wire{}, says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1, []int{400, 404, 505}},
	}
}

// besiege is how the gateway of these tests is set: with few places, and little patience, so that attacks do what they can soon. It has more than
// a machine stands still for: whoever sends all at once is not taken for slow.
func besiege(c *Config) {
	c.MaxQueries, c.MaxBodyBytes = 8, 16<<20
	c.HeaderTimeout, c.BodyTimeout, c.WriteTimeout = 3*time.Second, 3*time.Second, 3*time.Second
}

// wage attacks until it is told to stop, and counts the connections that are over. Then it returns how many were.
func (a attack) wage(t testing.TB, addr string) (over *atomic.Int64, stop func() int64) {
	ctx, end := context.WithCancel(t.Context())
	a.wire.addr = addr
	over = new(atomic.Int64)
	var all sync.WaitGroup
	for range a.clients {
		all.Go(func() {
			for ctx.Err() == nil {
				replies, err := a.wire.talk(ctx, a.says())
				if ctx.Err() == nil {
					a.judge(t, replies, err)
					over.Add(1)
				}
				sleep(ctx, a.rest)
			}
		})
	}
	stop = sync.OnceValue(func() int64 {
		end()
		all.Wait()
		return over.Load()
	})
	t.Cleanup(func() { stop() })
	return over, stop
}

// judge wants of one connection what it must get.
func (a attack) judge(t testing.TB, replies []reply, err error) {
	if err != nil {
		t.Errorf("no connection: %v", err)
	}
	if len(replies) != a.replies && !(len(replies) == 0 && slices.Contains(a.wants, ends)) {
		t.Errorf("%d replies, %v, not %d", len(replies), statuses(replies), a.replies)
	}
	for _, r := range replies {
		if !slices.Contains(a.wants, r.status) || r.status == 200 && !strings.Contains(r.body, `"answer":"hostile: of somebody hostile"`) {
			t.Errorf("status %d, %.200s", r.status, r.body)
		}
	}
}

// While hostile clients do all they can each of them gets what it must, and no hit of a known key is refused.
func TestHostileClients(t *testing.T) {
	s := serving(t, &echo{}, besiege)
	key, hostile := s.key(t, "acme"), s.key(t, "hostile")
	s.store(t, key, stored)
	s.store(t, hostile, longQuestion)
	known := newClient(t, s.config.Listen)
	for _, a := range attacks(hostile) {
		t.Run(a.name, func(t *testing.T) {
			hits := s.hits(t, known, key, 20*time.Millisecond)
			over, stop := a.wage(t, s.config.Listen)
			servers.Await(t, "each attacker is through once", func(context.Context) error {
				if over.Load() < int64(a.clients) {
					return errors.New("not yet")
				}
				return nil
			})
			stop()
			if len(hits()) == 0 {
				t.Error("nobody asked meanwhile")
			}
			s.atRest(t)
		})
	}
}

// BenchmarkHitsUnderAttack is what an attack adds to the hits of a known key: some without it and some with it, in turns. p99-ratio is the
// p99 with it by that without.
func BenchmarkHitsUnderAttack(b *testing.B) {
	s := serving(b, &echo{}, besiege)
	key, hostile := s.key(b, "acme"), s.key(b, "hostile")
	s.store(b, key, stored)
	s.store(b, hostile, longQuestion)
	known := newClient(b, s.config.Listen)
	for _, a := range attacks(hostile) {
		b.Run(strings.ReplaceAll(a.name, " ", "-"), func(b *testing.B) {
			var calm, attacked []time.Duration
			for b.Loop() {
				calm = append(calm, s.someHits(b, known, key)...)
				_, stop := a.wage(b, s.config.Listen)
				sleep(b.Context(), settles)
				attacked = append(attacked, s.someHits(b, known, key)...)
				stop()
				s.atRest(b)
			}
			without, with := p99(calm), p99(attacked)
			b.ReportMetric(without, "calm-p99-ms")
			b.ReportMetric(with, "attacked-p99-ms")
			b.ReportMetric(with/without, "p99-ratio")
			b.ReportMetric(0, "ns/op") // says nothing: an operation is some hits of each
		})
	}
}

// settles is how long an attack is under way before hits are measured.
const settles = 100 * time.Millisecond

// someHits asks for a while, and seldom enough that hits wait for the machine only if somebody else takes it.
func (s *served) someHits(b *testing.B, from client, key string) []time.Duration {
	const some, pause = 100, 5 * time.Millisecond
	took := make([]time.Duration, some)
	for i := range took {
		took[i] = s.hit(b, from, key)
		sleep(b.Context(), pause)
	}
	return took
}

// p99 is in milliseconds.
func p99(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)*99/100]) / float64(time.Millisecond)
}
