package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// narrow is an API that answers one query at a time, each in that time, and lets another wait for 100 ms.
func narrow(takes time.Duration, then func()) *httpapi.API {
	a, _ := newAPI(func(ctx context.Context, r service.Request) (service.Result, error) {
		time.Sleep(takes)
		then()
		return fine(ctx, r)
	}, func(o *httpapi.Options) { o.MaxQueries, o.MaxWait = 1, 100*time.Millisecond })
	return a
}

// arrival is a query and what became of it.
type arrival struct {
	status     int
	code       string
	retryAfter string
	took       time.Duration
}

// ask sends one query, on whatever goroutine.
func ask(ctx context.Context, a *httpapi.API) arrival {
	began := time.Now()
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/query", strings.NewReader(query))
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var body answer
	_ = json.Unmarshal(w.Body.Bytes(), &body) // what is no JSON has no code
	return arrival{w.Code, body.Error.Code, w.Header().Get("Retry-After"), time.Since(began)}
}

// arrive sends queries at those moments, and waits for what becomes of them.
func arrive(t *testing.T, a *httpapi.API, at ...time.Duration) []arrival {
	t.Helper()
	got := make([]arrival, len(at))
	var all sync.WaitGroup
	for i, at := range at {
		all.Go(func() {
			time.Sleep(at)
			got[i] = ask(t.Context(), a)
		})
	}
	all.Wait()
	return got
}

func TestOverload(t *testing.T) {
	const ms = time.Millisecond
	served := func(took time.Duration) arrival { return arrival{status: 200, took: took} }
	refused := func(took time.Duration) arrival {
		return arrival{503, service.ReasonOverloaded, "1", took}
	}
	for _, c := range []struct {
		name  string
		takes time.Duration // each answer
		at    []time.Duration
		want  []arrival
	}{
		{"one after another", 80 * ms, []time.Duration{0, 80 * ms}, []arrival{served(80 * ms), served(80 * ms)}},
		{"waits for its turn", 80 * ms, []time.Duration{0, 10 * ms}, []arrival{served(80 * ms), served(150 * ms)}},
		{"waits in vain", 300 * ms, []time.Duration{0, 10 * ms}, []arrival{served(300 * ms), refused(100 * ms)}},
		{"as many may wait as are in", 80 * ms, []time.Duration{0, 10 * ms, 20 * ms}, []arrival{served(80 * ms), served(150 * ms), refused(0)}},
		{"all is well afterwards", 300 * ms, []time.Duration{0, 10 * ms, 20 * ms, 301 * ms}, []arrival{served(300 * ms), refused(100 * ms), refused(0), served(300 * ms)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := arrive(t, narrow(c.takes, func() {}), c.at...)
				for i, want := range c.want {
					if got[i] != want {
						t.Errorf("query %d: %+v, want %+v", i, got[i], want)
					}
				}
			})
		})
	}
}

// TestAPanicGivesItsPlaceBack: else each one would narrow the admission for good.
func TestAPanicGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := narrow(0, func() { panic("defect") })
		for _, got := range arrive(t, a, 0, time.Second) {
			if got.status != 500 {
				t.Errorf("%+v, want the answer to a defect", got)
			}
		}
	})
}

// TestOnlyQueriesAreHeldUp: probes must be answered when all places are taken.
func TestOnlyQueriesAreHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := narrow(time.Second, func() {})
		go ask(t.Context(), a)
		synctest.Wait()
		if resp, _ := do(t, a, "GET", "/live", ""); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
		time.Sleep(time.Minute)
	})
}
