package load_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// warmUp is what TestWarmUp warms up with: three requests, and a load that is never sent.
func warmUp() load.Profile {
	p := profile(load.Stage{Shape: load.Herd(5, time.Hour)})
	p.Warmup = []load.Stage{{Name: "keys", Shape: load.Spread(3, 0), Request: post}}
	return p
}

func TestWarmUp(t *testing.T) {
	first := func(wrong, then behaviour) behaviour {
		var n atomic.Int64
		return func(c net.Conn, r *http.Request) bool {
			if n.Add(1) == 1 {
				return wrong(c, r)
			}
			return then(c, r)
		}
	}
	ok := answer(200, "", "ok")
	for name, c := range map[string]struct {
		behave  behaviour
		notOK   int
		outcome evidence.Outcome
		reason  string
		status  int16
	}{
		"ok":                  {behave: ok},
		"a wrong status":      {answer(500, "", "ok"), 3, evidence.Failed, "status", 500},
		"a wrong body":        {answer(200, "", "k"), 3, evidence.Failed, "malformed", 200},
		"no answer":           {say(""), 3, evidence.Ambiguous, "eof", 0},
		"refused":             {answer(503, "Retry-After: 3\r\n", "busy"), 3, evidence.Refused, "", 503},
		"a wrong status once": {first(answer(500, "", "ok"), ok), 1, evidence.Failed, "status", 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(conn net.Conn, r *http.Request) bool {
				if id := r.Header.Get("X-Request-Id"); !strings.HasPrefix(id, evidence.WarmupPrefix) {
					t.Errorf("a request of the warm-up has the id %q", id)
				}
				return c.behave(conn, r)
			})
			p := warmUp()
			p.Read = func(r load.Response, rec *evidence.Recorder) error {
				if rec != nil {
					t.Error("the warm-up is recorded")
				}
				return readOK(r, rec)
			}
			notOK, err := load.WarmUp(t.Context(), p, load.Target{URL: s.url()}, 1, ticking(time.Hour))
			if err != nil || len(notOK) != c.notOK || s.requests.Load() != 3 {
				t.Fatalf("%d of 3 arrived, and %v were not ok: %v", s.requests.Load(), notOK, err)
			}
			for _, r := range notOK {
				checkRecord(t, r)
				if r.Outcome != c.outcome || r.Reason != c.reason || r.Status != c.status || r.Stage != "keys" || !strings.HasPrefix(r.ID, evidence.WarmupPrefix) || r.Due < time.Hour {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// ticking is the clock of a run that began that long ago.
func ticking(ago time.Duration) func() time.Duration {
	began := time.Now().Add(-ago)
	return func() time.Duration { return time.Since(began) }
}

// TestWarmUpNotGoneThrough: what the service is not to blame for is an error, and what it answered wrongly is told all the same.
func TestWarmUpNotGoneThrough(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	cut, cutNow := context.WithCancel(t.Context())
	defer cutNow()
	bad := serve(t, answer(500, "", "ok"))
	for name, c := range map[string]struct {
		ctx    context.Context
		url    string
		change func(*load.Profile)
		want   error
		notOK  int
	}{
		"nobody listens": {t.Context(), nowhere, func(*load.Profile) {}, load.ErrWarmUp, 0},
		"never begun":    {ended, bad.url(), func(*load.Profile) {}, load.ErrWarmUp, 0},
		"interrupted after the first answer": {cut, bad.url(), func(p *load.Profile) {
			p.Warmup[0].Shape = load.Herd(1, 0)
			p.Warmup = append(p.Warmup, load.Stage{Name: "later", Shape: load.Herd(2, time.Hour), Request: post})
			p.Refusal = func(int, http.Header, []byte) (time.Duration, bool) { cutNow(); return 0, false }
		}, load.ErrWarmUp, 1},
		"unfit": {t.Context(), bad.url(), func(p *load.Profile) {
			p.Warmup[0].Request = func(k uint64, r *rand.Rand) load.Request {
				if k == 2 {
					panic("no such key")
				}
				return post(k, r)
			}
		}, load.ErrProfile, 2},
		"nothing to send": {t.Context(), bad.url(), func(p *load.Profile) { p.Warmup = nil }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := warmUp()
			c.change(&p)
			notOK, err := load.WarmUp(c.ctx, p, load.Target{URL: c.url}, 1, ticking(0))
			if !errors.Is(err, c.want) || len(notOK) != c.notOK {
				t.Errorf("%v, and %v were not ok; want %v and %d", err, notOK, c.want, c.notOK)
			}
		})
	}
}
