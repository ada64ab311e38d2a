package load_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
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
		status  int16
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
			p := profile(load.Stage{Name: "spread", Shape: load.Spread(3, 30*time.Millisecond)}, load.Stage{Name: "herd", Shape: load.Herd(3, 10*time.Millisecond)})
			if test.reason == "timeout" {
				p.Timeout = arrives
			}
			for _, r := range run(t, t.Context(), p, s.url()) {
				if r.Outcome != test.outcome || r.Reason != test.reason || r.Status != test.status || r.Conns != 1 {
					t.Errorf("got %s %q, status %d, %d connections", r.Outcome, r.Reason, r.Status, r.Conns)
				}
				if test.outcome == evidence.Refused && r.RetryAfter != 3*time.Second {
					t.Errorf("retry after %v", r.RetryAfter)
				}
			}
			if n := s.requests.Load(); n != 6 {
				t.Errorf("6 requests planned, %d arrived", n)
			}
		})
	}
}

// body is what a response said, as a kind of record that a system brings along.
type body struct {
	Seq  uint64 `json:"seq"`
	Text string `json:"text"`
}

var bodies = evidence.NewKind("bodies", func(a, b *body) int { return cmp.Compare(a.Seq, b.Seq) })

// A run leaves a record of each request, and of what Read learned of its answer.
func TestRecords(t *testing.T) {
	const n = 5
	s := serve(t, func(c net.Conn, r *http.Request) bool { return answer(200, "", r.Header.Get("X-Request-Id"))(c, r) })
	p := profile(load.Stage{Name: "steady", Shape: load.Spread(n, 50*time.Millisecond)})
	p.Read = func(r load.Response, rec *evidence.Recorder) error {
		bodies.Put(rec, body{r.Seq, string(r.Body)})
		return nil
	}
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Run(t.Context(), p, load.Target{URL: s.url()}, 1, 0, rec, nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rec.WritePlan(evidence.Plan{}), rec.Close()); err != nil {
		t.Fatal(err)
	}
	saved, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	requests, read := evidence.Requests.Of(saved), bodies.Of(saved)
	if len(requests) != n || len(read) != n {
		t.Fatalf("%d requests and %d answers recorded, not %d", len(requests), len(read), n)
	}
	for i, r := range requests {
		if r.Stage != "steady" || r.Class != "write" || r.User != "acme" || r.Key != fmt.Sprint("key-", i) || r.Outcome != evidence.OK {
			t.Errorf("recorded as %+v", r)
		}
		if want := (body{r.Seq, r.ID}); read[i] != want {
			t.Errorf("read %+v, not %+v", read[i], want)
		}
	}
}

// Without a reader every complete 2xx is ok, and nothing else is.
func TestNobodyReads(t *testing.T) {
	for name, test := range map[string]struct {
		behave  behaviour
		outcome evidence.Outcome
	}{
		"a body":     {answer(200, "", "whatever"), evidence.OK},
		"no body":    {answer(204, "", ""), evidence.OK},
		"an error":   {answer(500, "", "whatever"), evidence.Failed},
		"half of it": {say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"), evidence.Ambiguous},
	} {
		p := profile(load.Stage{Shape: load.Herd(1, 0)})
		p.Read = nil
		if got := run(t, t.Context(), p, serve(t, test.behave).url())[0]; got.Outcome != test.outcome {
			t.Errorf("%s: %s %q", name, got.Outcome, got.Reason)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	for _, r := range run(t, t.Context(), profile(load.Stage{Shape: load.Herd(20, 0)}), nowhere) {
		if r.Outcome != evidence.Failed || r.Reason != "refused" || r.Conns != 0 {
			t.Errorf("got %s %q over %d connections", r.Outcome, r.Reason, r.Conns)
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
		if r.Method != http.MethodPost || r.URL.String() != "/prefix/v1/things?a=1" || "http://"+r.Host != "http://"+c.LocalAddr().String() {
			t.Errorf("%s %s for %s", r.Method, r.URL, r.Host)
		}
		return answer(200, "", "ok")(c, r)
	})
	p := profile(load.Stage{Shape: load.Herd(10, 0), Request: func(k uint64, r *rand.Rand) load.Request {
		return load.Request{Method: http.MethodPost, Path: "/v1/things?a=1", Header: http.Header{"X-Own": {"a", "b"}}, Body: []byte("content"), User: "acme"}
	}})
	for _, r := range run(t, t.Context(), p, s.url()+"/prefix") {
		if !ids[r.ID] {
			t.Errorf("%q never arrived", r.ID)
		}
	}
	if len(ids) != 10 {
		t.Errorf("%d different ids", len(ids))
	}
}

func TestOneUserByTwoCredentials(t *testing.T) {
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		if want := map[string]string{"1": "Bearer secret", "2": "Bearer other"}[r.Header.Get("X-Which")]; r.Header.Get("Authorization") != want {
			t.Errorf("headers: %v", r.Header)
		}
		return answer(200, "", "ok")(c, r)
	})
	p := profile(load.Stage{Shape: load.Herd(2, 0), Request: func(k uint64, _ *rand.Rand) load.Request {
		q := load.Request{Method: http.MethodPost, Path: "/", Header: http.Header{"X-Which": {"1"}}, User: "acme"}
		if k == 1 {
			q.Credential, q.Header = "acme-2", http.Header{"X-Which": {"2"}}
		}
		return q
	}})
	for i, r := range run(t, t.Context(), p, s.url()) {
		if r.User != "acme" || (r.Credential == "acme-2") != (i == 1) {
			t.Errorf("%+v", r)
		}
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
func TestOpenModel(t *testing.T) {
	const n = 100
	var arrived sync.WaitGroup
	arrived.Add(n)
	s := serve(t, func(c net.Conn, r *http.Request) bool {
		arrived.Done()
		return answer(200, "", "ok")(c, r)
	})
	p := profile(load.Stage{Shape: load.Constant(500, 200*time.Millisecond)})
	p.Timeout = time.Minute
	var got []evidence.Request
	err := load.Run(t.Context(), p, load.Target{URL: s.url()}, 1, 0, record(t, t.TempDir()), func(r evidence.Request) {
		arrived.Wait() // would be for ever if sending waited for this
		got = append(got, r)
	})
	if err != nil || count(inOrder(t, p, got))[evidence.OK] != n {
		t.Errorf("%v %v", count(got), err)
	}
}

// A generator that is late says so: latency counts from due, and the lag is on record.
func TestLagIsRecorded(t *testing.T) {
	const late = time.Hour
	s := serve(t, answer(200, "", "ok"))
	rec := recordFrom(t, t.TempDir(), time.Now().Add(-late))
	p := profile(load.Stage{Shape: load.Herd(5, 0)})
	err := load.Run(t.Context(), p, load.Target{URL: s.url()}, 1, 0, rec, func(r evidence.Request) {
		if r.Due != 0 || r.Sent < late || r.Outcome != evidence.OK {
			t.Errorf("due %v, sent %v: %s", r.Due, r.Sent, r.Outcome)
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
	for _, r := range run(t, ctx, p, s.url()) {
		got[r.Stage][r.Outcome]++
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
		p := profile(rapid.SliceOfNDistinct(stages(), 0, 3, func(s load.Stage) string { return s.Name }).Draw(rt, "stages")...)
		p.Timeout = 20 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rapid.IntRange(1, 60).Draw(rt, "end_ms"))*time.Millisecond)
		defer cancel()
		requests := run(t, ctx, p, s.url())
		sent := len(requests) - count(requests)[evidence.Unsent]
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
		"not valid":    {"http://127.0.0.1:1", func(p *load.Profile) { p.Timeout = 0 }},
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
			check := func(r evidence.Request) {
				if r.Outcome != evidence.Unsent || r.Reason != "unfit" || r.Sent != 0 {
					t.Errorf("recorded as %s %q", r.Outcome, r.Reason)
				}
			}
			rec := record(t, t.TempDir())
			if err := load.Run(t.Context(), p, load.Target{URL: test.url}, 1, 0, rec, check); !errors.Is(err, load.ErrProfile) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestValidate: the reason is told before anything is sent. What is at a bound is fit.
func TestValidate(t *testing.T) {
	stage := load.Stage{Name: "s", Shape: load.Herd(2, 0), Request: post}
	allow := func(from, to time.Duration, share float64) func(*load.Profile) {
		return func(p *load.Profile) {
			p.Allow = []evidence.Allowance{{To: 1, Share: 1}, {From: from, To: to, Share: share}}
		}
	}
	for name, c := range map[string]struct {
		change func(*load.Profile)
		reason string // empty for a fit profile
	}{
		"fit":                  {func(*load.Profile) {}, ""},
		"no warm-up":           {func(p *load.Profile) { p.Warmup = nil }, ""},
		"allowed":              {allow(0, time.Second, 1), ""},
		"no timeout":           {func(p *load.Profile) { p.Timeout = 0 }, "Timeout is 0s"},
		"a negative timeout":   {func(p *load.Profile) { p.Timeout = -time.Second }, "Timeout is -1s"},
		"a name twice":         {func(p *load.Profile) { p.Stages[1].Name = p.Stages[0].Name }, `two stages are named`},
		"a name twice, before": {func(p *load.Profile) { p.Warmup = append(p.Warmup, p.Warmup[0]) }, `two stages are named`},
		"no shape":             {func(p *load.Profile) { p.Stages[1].Shape = nil }, `stage "s" has no Shape`},
		"no request":           {func(p *load.Profile) { p.Stages[1].Request = nil }, `stage "s" has no Request`},
		"too early":            {func(p *load.Profile) { p.Stages[1].Start = -time.Second }, `stage "s" starts at -1s`},
		"a warm-up of nothing": {func(p *load.Profile) { p.Warmup[0].Request = nil }, `stage "s" has no Request`},
		"allowed before":       {allow(-time.Second, time.Second, 1), "from -1s to 1s covers no part of the load"},
		"allowed never":        {allow(time.Second, time.Second, 1), "from 1s to 1s covers no part of the load"},
		"allowed nothing":      {allow(0, time.Second, 0), "an allowance of 0 of the requests"},
		"allowed in per cent":  {allow(0, time.Second, 50), "an allowance of 50 of the requests"},
		"allowed no number":    {allow(0, time.Second, math.NaN()), "an allowance of NaN of the requests"},
	} {
		other := stage
		other.Name = "t"
		p := load.Profile{Warmup: []load.Stage{stage}, Stages: []load.Stage{other, stage}, Timeout: time.Second}
		c.change(&p)
		switch err := p.Validate(); {
		case c.reason == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.reason != "" && (!errors.Is(err, load.ErrProfile) || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
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
		outcomes map[evidence.Outcome]int
		reason   string // of those that are not ok
	}{
		"request": {200, func(p *load.Profile) { p.Stages[0].Request = third }, "no such key",
			map[evidence.Outcome]int{evidence.OK: 9, evidence.Unsent: 1}, "unfit"},
		"answer": {200, func(p *load.Profile) {
			p.Read = func(load.Response, *evidence.Recorder) error { panic("no such field") }
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
			outcomes := map[evidence.Outcome]int{}
			check := func(r evidence.Request) {
				outcomes[r.Outcome]++
				if test.outcomes != nil && r.Outcome != evidence.OK && r.Reason != test.reason {
					t.Errorf("recorded as %s %q, want %s", r.Outcome, r.Reason, test.reason)
				}
			}
			to := load.Target{URL: serve(t, answer(test.status, "", "ok")).url()}
			err := load.Run(t.Context(), p, to, 1, 0, record(t, t.TempDir()), check)
			if !errors.Is(err, load.ErrProfile) || !strings.Contains(err.Error(), "panic: "+test.panicked) {
				t.Errorf("%v", err)
			}
			if test.outcomes != nil && !maps.Equal(outcomes, test.outcomes) {
				t.Errorf("%v, want %v", outcomes, test.outcomes)
			}
		})
	}
}
