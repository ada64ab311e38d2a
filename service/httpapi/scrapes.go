package httpapi

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"time"
)

// Bounds of scrapes. A page costs as much as several hits, and whoever runs a gateway may have any number of programs that want one.
const (
	scrapeWait    = time.Second            // of a scrape for its turn, before it is refused
	scrapeRest    = 9                      // times as long as a page took nobody gets the next one: quick pages take a tenth of one CPU at most
	longestRest   = 100 * time.Millisecond // however long a page took
	scrapeTimeout = 5 * time.Second        // of a client that reads its page
)

// scrapes makes one page of metrics at a time. Clients that read slowly keep nobody from the next one.
type scrapes struct {
	pages http.Handler
	turn  chan struct{} // holds a token while a page is made, and while it rests
}

func newScrapes(pages http.Handler) *scrapes {
	return &scrapes{pages: pages, turn: make(chan struct{}, 1)}
}

// ServeHTTP answers one scrape.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeWait)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, map[string]string{"status": "too many scrapes"})
		return
	}
	made := s.page(r)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout)) // a writer of a test has none
	maps.Copy(w.Header(), made.header)
	w.WriteHeader(made.code)
	_, _ = made.body.WriteTo(w)
}

// page makes a page in memory, and lets the next one be made after a rest.
func (s *scrapes) page(r *http.Request) *page {
	began := time.Now()
	defer func() {
		time.AfterFunc(min(scrapeRest*time.Since(began), longestRest), func() { <-s.turn })
	}()
	made := &page{header: http.Header{}, code: http.StatusOK}
	s.pages.ServeHTTP(made, r)
	return made
}

// page is an answer that nobody has been sent yet.
type page struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header is the answer's header.
func (p *page) Header() http.Header { return p.header }

// WriteHeader keeps the status.
func (p *page) WriteHeader(code int) { p.code = code }

// Write keeps a part of the body.
func (p *page) Write(text []byte) (int, error) { return p.body.Write(text) }
