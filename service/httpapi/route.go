package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// handler answers a request or returns why it cannot.
type handler func(http.ResponseWriter, *http.Request) error

// clientGone is the status of a request whose client hung up. As a rule nobody receives it.
const clientGone = 499

// route makes a handler whole: request id, gauge, deadline, panics, errors, and its count at the end.
func (a *API) route(name string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.active.Inc()
		defer a.active.Dec()
		arrived := time.Now()
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set(requestIDHeader, requestID(r))
		a.serve(rec, r, h)
		a.Meter.Served(name, rec.code, time.Since(arrived))
	})
}

// guarded is a handler of probes, which are no requests of clients. Its panics are told of like those of routes.
func (a *API) guarded(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(&recorder{ResponseWriter: w}, r, func(w http.ResponseWriter, r *http.Request) error {
			h(w, r)
			return nil
		})
	})
}

func (a *API) serve(w *recorder, r *http.Request, h handler) {
	defer func() {
		if defect := recover(); defect != nil {
			a.Meter.Panicked()
			a.fail(w, r, fmt.Errorf("panic: %v\n%s", defect, debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), a.Timeout)
	defer cancel()
	if err := h(w, r.WithContext(ctx)); err != nil {
		a.fail(w, r, err)
	}
}

// recorder remembers the status that was sent, 0 before any.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader sends and remembers the status.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

const (
	requestIDHeader = "X-Request-Id"
	longestID       = 128 // bytes; longer than any id format in use
)

// requestID returns the client's id if it is fit for logs and ledgers, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > longestID {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return rand.Text()
		}
	}
	return id
}

// idOf returns the request id that route gave to the response.
func idOf(w http.ResponseWriter) string { return w.Header().Get(requestIDHeader) }
