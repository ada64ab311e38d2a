package load_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"pgregory.net/rapid"
)

func TestOutcomes(t *testing.T) {
	tests := map[string]struct {
		behave  behaviour
		outcome evidence.Outcome
		reason  string
		status  int
	}{
		"ok":                       {answer(200, "", "ok"), evidence.OK, "", 200},
		"ok in pieces":             {inPieces, evidence.OK, "", 200},
		"ok until the end":         {say("HTTP/1.1 200 OK\r\n\r\nok"), evidence.OK, "", 200},
		"ok behind early hints":    {say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), evidence.OK, "", 200},
		"refused":                  {answer(503, "Retry-After: 3\r\n", "busy"), evidence.Refused, "", 503},
		"503 without retry-after":  {answer(503, "", "busy"), evidence.Failed, "status", 503},
		"500":                      {answer(500, "", "ok"), evidence.Failed, "status", 500},
		"a redirect, not followed": {answer(302, "Location: /elsewhere\r\n", ""), evidence.Failed, "status", 302},
		"a wrong body":             {answer(200, "", "k"), evidence.Failed, "malformed", 200},
		"no body":                  {answer(204, "", ""), evidence.Failed, "malformed", 204},
		"not HTTP":                 {say("SSH-2.0-OpenSSH_9.2\r\n"), evidence.Failed, "malformed", 0},
		"a broken chunk":           {say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n"), evidence.Failed, "malformed", 200},
		"closed without an answer": {say(""), evidence.Ambiguous, "eof", 0},
		"closed in the header":     {say("HTTP/1.1 200 OK\r\nContent-"), evidence.Ambiguous, "eof", 0},
		"closed in the body":       {say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"), evidence.Ambiguous, "eof", 200},
		"closed in a chunk":        {say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no"), evidence.Ambiguous, "eof", 200},
		"reset":                    {reset, evidence.Ambiguous, "reset", 0},
		"hangs":                    {hang, evidence.Ambiguous, "timeout", 0},
		"hangs in the body": {func(c net.Conn, r *http.Request) bool {
			say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")(c, r)
			return hang(c, r)
		}, evidence.Ambiguous, "timeout", 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.behave)
			p := profile(load.Stage{Shape: load.Spread(3, 30*time.Millisecond)}, load.Stage{Shape: load.Herd(3, 10*time.Millisecond)})
			if test.reason == "timeout" {
				p.Timeout = 50 * time.Millisecond
			}
			for _, c := range run(t, t.Context(), p, s.url()) {
				if c.Outcome != test.outcome || c.Reason != test.reason || c.Status != test.status || c.Conns != 1 {
					t.Errorf("got %s %q, status %d, %d connections", c.Outcome, c.Reason, c.Status, c.Conns)
				}
				if test.outcome == evidence.Refused && c.RetryAfter != 3*time.Second {
					t.Errorf("retry after %v", c.RetryAfter)
				}
				if test.outcome == evidence.OK && c.Answer.Source != "hit" {
					t.Errorf("the answer was not read: %+v", c.Answer)
				}
			}
			if n := s.requests.Load(); n != 6 {
				t.Errorf("6 requests planned, %d arrived", n)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	s := serve(t, answer(200, "", "ok"))
	s.close()
	for _, c := range run(t, t.Context(), profile(load.Stage{Shape: load.Herd(20, 0)}), s.url()) {
		if c.Outcome != evidence.Failed || c.Reason != "refused" || c.Conns != 0 {
			t.Errorf("got %s %q over %d connections", c.Outcome, c.Reason, c.Conns)
		}
	}
}

// A request on a reused connection that the server then closes is exactly what net/http's client would send again.
func TestNeverSendsTwice(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			var n atomic.Int64
			s := serve(t, func(c net.Conn, r *http.Request) bool {
				return n.Add(1)%2 == 1 && answer(200, "", "ok")(c, r) // the second on each connection gets no answer
			})
			p := profile(load.Stage{Shape: load.Spread(10, 200*time.Millisecond), Request: func(uint64, *rand.Rand) load.Request {
				return load.Request{Method: method, Path: "/"}
			}})
			got := count(run(t, t.Context(), p, s.url()))
			if s.requests.Load() != 10 || got[evidence.OK]+got[evidence.Ambiguous] != 10 || got[evidence.Ambiguous] == 0 {
				t.Errorf("10 planned, %d arrived: %v", s.requests.Load(), got)
			}
		})
	}
}

// A connection that the server closed while it was idle is no reason to lose a request.
func TestIdleConnectionClosed(t *testing.T) {
	s := serve(t, func(c net.Conn, r *http.Request) bool { answer(200, "", "ok")(c, r); return false })
	calls := run(t, t.Context(), profile(load.Stage{Shape: load.Spread(5, 250*time.Millisecond)}), s.url())
	if got := count(calls); got[evidence.OK] != 5 || s.accepted.Load() != 5 {
		t.Errorf("%v over %d connections", got, s.accepted.Load())
	}
}

func TestConnectionsAreKept(t *testing.T) {
	s := serve(t, answer(200, "", "ok"))
	run(t, t.Context(), profile(load.Stage{Shape: load.Spread(20, 400*time.Millisecond)}), s.url())
	if n := s.accepted.Load(); n > 10 {
		t.Errorf("20 requests, one after another, over %d connections", n)
	}
}

// Those who come at once have their connections open before.
func TestConnectionsOpenAheadOfHerd(t *testing.T) {
	const herd = 200
	var s *rawServer
	var atFirst sync.Once
	var open int64
	s = serve(t, func(c net.Conn, r *http.Request) bool {
		atFirst.Do(func() { open = s.accepted.Load() })
		return answer(200, "", "ok")(c, r)
	})
	calls := run(t, t.Context(), profile(load.Stage{Shape: load.Herd(herd, 2*time.Second)}), s.url())
	if got := count(calls); got[evidence.OK] != herd || open != herd || s.accepted.Load() != herd {
		t.Errorf("%v; %d connections open at the first request, %d at the end", got, open, s.accepted.Load())
	}
}

func TestRequestOnTheWire(t *testing.T) {
	var mu sync.Mutex
	ids := map[string]bool{}
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		ids[r.Header.Get("X-Request-Id")] = true
		want := http.Header{"Authorization": {"Bearer secret"}, "X-Own": {"a", "b"}, "User-Agent": {"Go-http-client/1.1"},
			"Content-Length": {"7"}, "X-Request-Id": r.Header["X-Request-Id"]}
		if !maps.EqualFunc(r.Header, want, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
			t.Errorf("headers: %v", r.Header)
		}
		if r.Method != http.MethodPost || r.URL.String() != "/prefix/v1/query?a=1" || "http://"+r.Host != "http://"+c.LocalAddr().String() {
			t.Errorf("%s %s for %s", r.Method, r.URL, r.Host)
		}
		return answer(200, "", "ok")(c, r)
	})
	p := profile(load.Stage{Shape: load.Herd(10, 0), Request: func(k uint64, r *rand.Rand) load.Request {
		return load.Request{Method: http.MethodPost, Path: "/v1/query?a=1", Header: http.Header{"X-Own": {"a", "b"}}, Body: []byte("content"), Tenant: "acme"}
	}})
	for _, c := range run(t, t.Context(), p, s.url()+"/prefix") {
		if !ids[c.ID] {
			t.Errorf("%q never arrived", c.ID)
		}
	}
	if len(ids) != 10 {
		t.Errorf("%d different ids", len(ids))
	}
}

// A request that the kernel does not take at once is sent all the same, by a worker.
func TestLargeRequest(t *testing.T) {
	const size = 4 << 20
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		return answer(200, "", "ok")(c, r) && r.ContentLength == size
	})
	p := profile(load.Stage{Shape: load.Spread(3, 60*time.Millisecond), Request: func(k uint64, r *rand.Rand) load.Request {
		return load.Request{Method: http.MethodPut, Path: "/", Body: make([]byte, size)}
	}})
	if got := count(run(t, t.Context(), p, s.url())); got[evidence.OK] != 3 {
		t.Errorf("%v", got)
	}
}

// Every request arrives although nobody takes the records: neither a slow consumer nor a slow service delays the load.
func TestOpenLoop(t *testing.T) {
	const n = 100
	var arrived sync.WaitGroup
	arrived.Add(n)
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		arrived.Done()
		return answer(200, "", "ok")(c, r)
	})
	p := profile(load.Stage{Shape: load.Constant(500, 200*time.Millisecond)})
	p.Timeout = time.Minute
	var got []evidence.Call
	epoch := time.Now()
	err := load.Run(t.Context(), p, load.Target{URL: s.url()}, 1, 0, func() time.Duration { return time.Since(epoch) }, func(c evidence.Call) {
		arrived.Wait() // would be for ever if sending waited for this
		got = append(got, c)
	})
	if err != nil || count(inOrder(t, p, got))[evidence.OK] != n {
		t.Errorf("%v %v", count(got), err)
	}
}

// A generator that is late says so: latency counts from due, and the lag is on record.
func TestLagIsRecorded(t *testing.T) {
	const late = time.Hour
	s := serve(t, answer(200, "", "ok"))
	epoch := time.Now().Add(-late)
	p := profile(load.Stage{Shape: load.Herd(5, 0)})
	err := load.Run(t.Context(), p, load.Target{URL: s.url()}, 1, 0, func() time.Duration { return time.Since(epoch) }, func(c evidence.Call) {
		if c.Due != 0 || c.Sent < late || c.Outcome != evidence.OK {
			t.Errorf("due %v, sent %v: %s", c.Due, c.Sent, c.Outcome)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// The end of the run aborts what is in flight and leaves the rest unsent; every planned request is still accounted for.
func TestEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		if n.Add(1) == 20 {
			cancel()
		}
		return hang(c, r)
	})
	p := profile(load.Stage{Name: "now", Shape: load.Herd(20, 0)}, load.Stage{Name: "never", Shape: load.Constant(10, time.Hour), Start: time.Hour})
	got := map[string]map[evidence.Outcome]int{"now": {}, "never": {}}
	for _, c := range run(t, ctx, p, s.url()) {
		got[c.Stage][c.Outcome]++
	}
	if got["now"][evidence.Aborted] != 20 || got["never"][evidence.Unsent] != 36_000 {
		t.Errorf("%v", got)
	}
}

func TestContextThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := serve(t, answer(200, "", "ok"))
	got := count(run(t, ctx, profile(load.Stage{Shape: load.Herd(50, 0)}), s.url()))
	if got[evidence.Unsent] != 50 || s.requests.Load() != 0 {
		t.Errorf("%v, %d arrived", got, s.requests.Load())
	}
}

// Whatever the shapes and however the server behaves, the outcomes sum to what was planned, and nothing arrives twice.
func TestSumsProperty(t *testing.T) {
	behaviours := []behaviour{answer(200, "", "ok"), answer(500, "", ""), answer(503, "Retry-After: 1\r\n", ""), answer(200, "", "?"), say(""),
		say("?\r\n\r\n"), say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), reset, hang}
	rapid.Check(t, func(rt *rapid.T) {
		choices := rapid.SliceOfN(rapid.IntRange(0, len(behaviours)-1), 1, 8).Draw(rt, "behaviours")
		var n atomic.Int64
		s := serve(t, func(c net.Conn, r *http.Request) bool {
			return behaviours[choices[int(n.Add(1)-1)%len(choices)]](c, r)
		})
		defer s.close()
		p := profile(rapid.SliceOfN(stages(), 0, 3).Draw(rt, "stages")...)
		p.Timeout = 20 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rapid.IntRange(1, 60).Draw(rt, "end_ms"))*time.Millisecond)
		defer cancel()
		calls := run(t, ctx, p, s.url())
		sent := len(calls) - count(calls)[evidence.Unsent]
		if arrived := int(s.requests.Load()); arrived > sent {
			rt.Fatalf("%d sent, %d arrived", sent, arrived)
		}
	})
}

func stages() *rapid.Generator[load.Stage] {
	return rapid.Custom(func(rt *rapid.T) load.Stage {
		n := rapid.Uint64Range(0, 20).Draw(rt, "n")
		d := time.Duration(rapid.IntRange(0, 30).Draw(rt, "ms")) * time.Millisecond
		shape := rapid.SampledFrom([]load.Shape{load.Herd(n, d), load.Spread(n, d), load.Constant(float64(10*n+1), d)}).Draw(rt, "shape")
		return load.Stage{Name: fmt.Sprint(n), Shape: shape, Start: time.Duration(rapid.IntRange(0, 20).Draw(rt, "start_ms")) * time.Millisecond}
	})
}

func TestUnfitProfiles(t *testing.T) {
	stage := load.Stage{Name: "s", Shape: load.Herd(2, 0), Request: post}
	good := load.Profile{Stages: []load.Stage{stage}, Timeout: time.Second, Read: readOK}
	tests := map[string]struct {
		url    string
		change func(*load.Profile)
	}{
		"no timeout":   {"http://127.0.0.1:1", func(p *load.Profile) { p.Timeout = 0 }},
		"no reader":    {"http://127.0.0.1:1", func(p *load.Profile) { p.Read = nil }},
		"no shape":     {"http://127.0.0.1:1", func(p *load.Profile) { p.Stages = []load.Stage{{Request: post}} }},
		"no requests":  {"http://127.0.0.1:1", func(p *load.Profile) { p.Stages = []load.Stage{{Shape: load.Herd(1, 0)}} }},
		"relative URL": {"/v1", func(*load.Profile) {}},
		"unspoken TLS": {"https://127.0.0.1", func(*load.Profile) {}},
		"not a URL":    {"http://[::1", func(*load.Profile) {}},
		"a bad request": {"http://127.0.0.1:1", func(p *load.Profile) {
			stage.Request = func(uint64, *rand.Rand) load.Request { return load.Request{Method: "NO WAY"} }
			p.Stages = []load.Stage{stage}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := good
			test.change(&p)
			emit := func(c evidence.Call) {
				if c.Outcome != evidence.Unsent || c.Reason != "unfit" || c.Sent != 0 {
					t.Errorf("recorded as %s %q", c.Outcome, c.Reason)
				}
			}
			if err := load.Run(t.Context(), p, load.Target{URL: test.url}, 1, 0, func() time.Duration { return 0 }, emit); !errors.Is(err, load.ErrProfile) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// hole is a shape that answers so many questions for its sixth request, and panics at the next.
type hole struct {
	load.Shape
	answers *atomic.Int32
}

func newHole(s load.Shape, answers int32) hole {
	h := hole{s, &atomic.Int32{}}
	h.answers.Store(answers)
	return h
}

func (s hole) Due(k uint64) (time.Duration, bool) {
	if k == 5 && s.answers.Add(-1) < 0 {
		panic("no such request")
	}
	return s.Shape.Due(k)
}

// TestPanics of a profile's functions are errors. What can be sent is sent, and of an answer that nobody read nothing is known.
func TestPanics(t *testing.T) {
	third := func(k uint64, r *rand.Rand) load.Request {
		if k == 2 {
			panic("no such key")
		}
		return post(k, r)
	}
	tests := map[string]struct {
		status   int
		change   func(*load.Profile)
		panicked string
		calls    map[evidence.Outcome]int
		reason   string // of those that are not ok
	}{
		"request": {200, func(p *load.Profile) { p.Stages[0].Request = third }, "no such key",
			map[evidence.Outcome]int{evidence.OK: 9, evidence.Unsent: 1}, "unfit"},
		"answer": {200, func(p *load.Profile) {
			p.Read = func(int, http.Header, []byte) (evidence.Answer, error) { panic("no such field") }
		}, "no such field", map[evidence.Outcome]int{evidence.Aborted: 10}, evidence.ReasonCancelled},
		"refusal": {503, func(p *load.Profile) {
			p.Refusal = func(int, http.Header, []byte) (time.Duration, bool) { panic("no such header") }
		}, "no such header", map[evidence.Outcome]int{evidence.Aborted: 10}, evidence.ReasonCancelled},
		"shape":       {200, func(p *load.Profile) { p.Stages[0].Shape = newHole(p.Stages[0].Shape, 0) }, "no such request", nil, ""},
		"shape, late": {200, func(p *load.Profile) { p.Stages[0].Shape = newHole(p.Stages[0].Shape, 1) }, "no such request", nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := profile(load.Stage{Name: "s", Shape: load.Spread(10, 100*time.Millisecond)})
			test.change(&p)
			calls := map[evidence.Outcome]int{}
			emit := func(c evidence.Call) {
				calls[c.Outcome]++
				if test.calls != nil && c.Outcome != evidence.OK && c.Reason != test.reason {
					t.Errorf("recorded as %s %q, want %s", c.Outcome, c.Reason, test.reason)
				}
			}
			began := time.Now()
			err := load.Run(t.Context(), p, load.Target{URL: serve(t, answer(test.status, "", "ok")).url()}, 1, 0,
				func() time.Duration { return time.Since(began) }, emit)
			if !errors.Is(err, load.ErrProfile) || !strings.Contains(err.Error(), "panic: "+test.panicked) {
				t.Errorf("%v", err)
			}
			if test.calls != nil && !maps.Equal(calls, test.calls) {
				t.Errorf("%v, want %v", calls, test.calls)
			}
		})
	}
}

func TestWarmUp(t *testing.T) {
	good, bad := serve(t, answer(200, "", "ok")), serve(t, answer(500, "", "ok"))
	p := profile(load.Stage{Shape: load.Herd(5, time.Hour)})
	p.Warmup = []load.Stage{{Name: "keys", Shape: load.Spread(3, 0), Request: post}}
	if err := load.WarmUp(t.Context(), p, load.Target{URL: good.url()}, 1); err != nil || good.requests.Load() != 3 {
		t.Errorf("%d of 3 arrived: %v", good.requests.Load(), err)
	}
	if err := load.WarmUp(t.Context(), p, load.Target{URL: bad.url()}, 1); !errors.Is(err, load.ErrWarmUp) {
		t.Errorf("three times 500 passed for a warm-up: %v", err)
	}
	p.Warmup = nil
	if err := load.WarmUp(t.Context(), p, load.Target{URL: bad.url()}, 1); err != nil {
		t.Errorf("no warm-up at all: %v", err)
	}
}
