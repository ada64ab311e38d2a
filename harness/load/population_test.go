package load_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// The first topics are asked more often than the last, as the formula says; all are asked.
func TestZipf(t *testing.T) {
	const n, draws, v = 20, 100_000, 10.0
	var count [n]float64
	r := rand.New(rand.NewPCG(1, 2))
	for range draws {
		count[load.Zipf(r, 1.0001, v, n)]++
	}
	for k := range count { // with s next to 1, the k-th is asked v/(v+k) times as often as the first
		if want := count[0] * v / (v + float64(k)); count[k] < 0.9*want || count[k] > 1.1*want {
			t.Errorf("topic %d was drawn %v times, want about %.0f", k, count[k], want)
		}
	}
}

func TestAbortingIsAShare(t *testing.T) {
	const n = 10_000
	from, to := 50*time.Millisecond, 200*time.Millisecond
	request := load.Aborting(0.3, from, to, post)
	aborted := 0
	for k := range uint64(n) {
		switch d := request(k, rand.New(rand.NewPCG(k, 0))).AbortAfter; {
		case d == 0:
		case d < from || d >= to:
			t.Errorf("aborted after %v", d)
		default:
			aborted++
		}
	}
	if aborted < 0.28*n || aborted > 0.32*n {
		t.Errorf("%d of %d are aborted", aborted, n)
	}
}

// A client that cancels has closed its connection at the planned moment; one that has its answer by then got it.
func TestClientsCancel(t *testing.T) {
	tests := map[string]struct {
		behave  behaviour
		after   time.Duration
		outcome evidence.Outcome
		reason  string
	}{
		"while it waits": {hang, arrives, evidence.Aborted, "client_abort"},
		"in the middle of the body": {func(c net.Conn, r *http.Request) bool {
			say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")(c, r)
			return hang(c, r)
		}, arrives, evidence.Aborted, "client_abort"},
		"with its answer":      {answer(200, "", "ok"), patience, evidence.OK, ""},
		"with a refusal":       {answer(503, "Retry-After: 3\r\n", "busy"), patience, evidence.Refused, ""},
		"after the server did": {say(""), patience, evidence.Ambiguous, "eof"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan time.Time, 1)
			s := serve(t, func(c net.Conn, r *http.Request) bool {
				more := test.behave(c, r)
				closed <- time.Now()
				return more
			})
			p := profile(load.Stage{Shape: load.Herd(1, 0), Request: func(k uint64, r *rand.Rand) load.Request {
				out := post(k, r)
				out.AbortAfter = test.after
				return out
			}})
			p.Timeout = 2 * patience
			began := time.Now()
			got := run(t, t.Context(), p, s.url())[0]
			if got.Outcome != test.outcome || got.Reason != test.reason {
				t.Errorf("%s %q", got.Outcome, got.Reason)
			}
			var took time.Duration
			select {
			case end := <-closed:
				took = end.Sub(began)
			case <-time.After(patience):
				t.Fatal("the server never saw the end")
			}
			if aborted := got.Outcome == evidence.Aborted; aborted != (got.End-got.Sent >= test.after) || aborted && took < test.after {
				t.Errorf("%s after %v; the server saw the end after %v", got.Outcome, got.End-got.Sent, took)
			}
		})
	}
}

// Each request has its own timeout, and an abort that would come later than it does not come. One that waited for the profile's would
// be aborted.
func TestTimeoutOfARequest(t *testing.T) {
	timeout := func(k int) time.Duration { return arrives + time.Duration(k)*time.Second }
	s := serve(t, hang)
	p := profile(load.Stage{Shape: load.Spread(2, time.Millisecond), Request: func(k uint64, r *rand.Rand) load.Request {
		out := post(k, r)
		out.Timeout, out.AbortAfter = timeout(int(k)), 3*arrives
		return out
	}})
	p.Timeout = patience
	for i, r := range run(t, t.Context(), p, s.url()) {
		took := r.End - r.Sent
		if r.Outcome != evidence.Ambiguous || r.Reason != "timeout" || took < timeout(i) {
			t.Errorf("request %d: %s %q after %v", i, r.Outcome, r.Reason, took)
		}
	}
}

// The same seed makes the same plan to the last byte, with every shape, drawn keys, and clients that cancel.
func TestSamePlanByteForByte(t *testing.T) {
	s := serve(t, answer(200, "", "ok"))
	plan := func(seed uint64) []byte {
		var requests []load.Request
		ask := func(k uint64, r *rand.Rand) load.Request {
			key := fmt.Sprint(load.Zipf(r, 1.1, 5, 1000))
			return load.Request{Method: http.MethodPost, Path: "/", Body: []byte(key), Key: key}
		}
		cancelling := load.Aborting(0.5, 20*time.Millisecond, time.Second, ask)
		note := func(k uint64, r *rand.Rand) load.Request {
			out := cancelling(k, r)
			requests = append(requests, out)
			return out
		}
		const for20ms = 20 * time.Millisecond
		var stages []load.Stage
		for i, shape := range []load.Shape{load.Ramp(100, 500, for20ms), load.Spike(100, 900, 5*time.Millisecond, 10*time.Millisecond, for20ms),
			load.Constant(300, for20ms), load.Herd(3, for20ms), load.Spread(3, for20ms)} {
			stages = append(stages, load.Stage{Name: fmt.Sprint("stage ", i), Shape: shape, Request: note})
		}
		p := profile(stages...)
		records := runSeeded(t, t.Context(), p, s.url(), seed)
		for i, r := range records {
			records[i] = evidence.Request{Seq: r.Seq, ID: r.ID, Stage: r.Stage, Key: r.Key, Due: r.Due}
		}
		out, err := json.Marshal([]any{p.Plan(), requests, records})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, again, other := plan(1), plan(1), plan(2)
	if !bytes.Equal(first, again) {
		t.Errorf("one seed, two plans:\n%s\n%s", first, again)
	}
	if bytes.Equal(first, other) {
		t.Error("two seeds, one plan")
	}
}
