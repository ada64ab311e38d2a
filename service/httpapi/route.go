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

// clientGone is counted as the status of a request whose client hung up. Nobody receives it.
const clientGone = 499

// route makes a handler whole: request id, gauge, deadline, limit of the address, panics, errors, and its count at the end.
func (a *API) route(name string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.active.Inc()
		defer a.active.Dec()
		arrived := time.Now()
		rec := a.record(w, arrived)
		rec.Header().Set(requestIDHeader, requestID(r))
		a.serve(rec, r, func(w http.ResponseWriter, r *http.Request) error {
			if err := a.Addresses.AdmitAddress(r.Context(), a.client(r)); err != nil {
				return err
			}
			return h(w, r)
		})
		a.Meter.Served(name, rec.code, time.Since(arrived))
		if rec.hungUp {
			panic(http.ErrAbortHandler) // net/http would send an empty 200 to whoever closed the sending side only
		}
	})
}

// guarded is a handler of probes, which are no requests of clients. Its panics are told of like those of routes.
func (a *API) guarded(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(a.record(w, time.Now()), r, func(w http.ResponseWriter, r *http.Request) error {
			h(w, r)
			return nil
		})
	})
}

func (a *API) serve(w *recorder, r *http.Request, h handler) {
	ctx, cancel := context.WithTimeout(r.Context(), a.Timeout)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = watch(r.Body)
	defer func() {
		if defect := recover(); defect != nil {
			a.Meter.Panicked()
			a.fail(w, r, fmt.Errorf("panic: %v\n%s", defect, debug.Stack()))
		}
	}()
	if err := h(w, r); err != nil {
		a.fail(w, r, err)
	}
}

// recorder remembers the status that was sent, 0 before any, and bounds how long it takes to send an answer.
type recorder struct {
	http.ResponseWriter
	end     time.Time     // of the request's time
	timeout time.Duration // for the client to take the answer
	code    int
	hungUp  bool
}

func (a *API) record(w http.ResponseWriter, arrived time.Time) *recorder {
	return &recorder{ResponseWriter: w, end: arrived.Add(a.Timeout), timeout: a.WriteTimeout}
}

// leastWrite is what a client has at least to take an answer that comes at the end of its request's time: refusals do.
const leastWrite = time.Second

// WriteHeader sends and remembers the status. From now on the client has its time to take the answer, which ends with the request's: it
// may never read.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
	end := time.Now().Add(max(leastWrite, min(r.timeout, time.Until(r.end))))
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(end) // a test's writer has none
	r.ResponseWriter.WriteHeader(code)
}

// Write sends a part of the answer.
func (r *recorder) Write(part []byte) (int, error) {
	if r.code == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(part)
}

// hangUp has the connection end without a status.
func (r *recorder) hangUp() {
	if r.code == 0 {
		r.code = clientGone
	}
	r.hungUp = true
}

// leaveBody has net/http not wait for the rest of a body before it sends the answer. What has arrived is read, and the connection goes on if
// that is all.
func (r *recorder) leaveBody() {
	_ = http.NewResponseController(r.ResponseWriter).SetReadDeadline(time.Now()) // a test's writer has none
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
