package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// Fifty scrapers, each of which comes again as soon as it is answered, have pages made for a tenth of the time, one at a time. Those
// who cannot have one soon are told so, and a client that reads slowly is in nobody's way.
func TestScrapesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const scrapers, cost, lasts = 50, 2 * time.Millisecond, 10 * time.Second
		var now, most, made atomic.Int64
		pages := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(cost)
			made.Add(1)
			_, _ = w.Write([]byte("page"))
		})
		a, _ := newAPI(fine, func(o *httpapi.Options) { o.Metrics = pages })
		end := time.Now().Add(lasts)
		var all sync.WaitGroup
		for range scrapers {
			all.Go(func() {
				for time.Now().Before(end) {
					w := httptest.NewRecorder()
					a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
					refused := w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "1"
					if !refused && (w.Code != http.StatusOK || w.Body.String() != "page") {
						t.Errorf("status %d, %q", w.Code, w.Body)
					}
				}
			})
		}
		all.Wait()
		if most.Load() != 1 {
			t.Errorf("%d pages were made at a time", most.Load())
		}
		if took := time.Duration(made.Load()) * cost; took > lasts/10+scrapers*cost || took < lasts/20 {
			t.Errorf("pages were made for %s of %s", took, lasts)
		}
	})
}

func TestLoneScraperIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Millisecond)
			w.Header().Set("Content-Type", "text/plain")
		})
		a, _ := newAPI(fine, func(o *httpapi.Options) { o.Metrics = pages })
		for range 10 {
			began := time.Now()
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
			if took := time.Since(began); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/plain" || took > 2*time.Millisecond {
				t.Errorf("status %d after %s", w.Code, took)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// A page that takes for ever costs others a second, and no more: they are refused.
func TestScrapeThatCannotHaveItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		pages := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
		a, _ := newAPI(fine, func(o *httpapi.Options) { o.Metrics = pages })
		var first sync.WaitGroup
		first.Go(func() {
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		})
		synctest.Wait()
		began := time.Now()
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		if took := time.Since(began); w.Code != http.StatusServiceUnavailable || took != time.Second {
			t.Errorf("status %d after %s", w.Code, took)
		}
		close(release)
		first.Wait()
	})
}
