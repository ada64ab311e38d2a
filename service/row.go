package service

import (
	"cmp"
	"time"
)

// Kinds of rows.
const (
	RowCall = "call" // this request's flight called the upstream, and pays for it
	RowHit  = "hit"  // answered without a call of its own; costs nothing
)

// Row is one entry of the ledger: this request was answered by that call.
type Row struct {
	Serial    string    `json:"serial,omitempty"` // the gateway's own name of the request, which no two have
	RequestID string    `json:"request_id"`       // a label: see Request
	Tenant    string    `json:"tenant"`
	KeyID     string    `json:"key_id,omitempty"` // of the API key that the request came with
	Key       string    `json:"key"`
	Kind      string    `json:"kind"`
	CallID    string    `json:"call_id"`
	Token     string    `json:"token,omitempty"` // of the answer: see Answer
	Cost      int64     `json:"cost_nanousd"`
	At        time.Time `json:"at"`
	Replica   string    `json:"replica"`
	Boot      string    `json:"boot"`
}

// ID identifies the row: request and call, by the gateway's own names. Two requests are two rows, and so are two calls, whatever ids clients
// and the upstream choose: nothing is booked too low. So a request that the load balancer repeats at another replica is two rows if the
// first one had answered it. A row of a replica of an older version has no serial, an answer that such a one stored no token.
func (r Row) ID() string { return cmp.Or(r.Serial, r.RequestID) + "/" + cmp.Or(r.Token, r.CallID) }

// answeredBy fills in whose answer the request got.
func (r *Row) answeredBy(a Answer) { r.CallID, r.Token = a.CallID, a.Token }

// Usage is what one API key of a tenant used in a span of time.
type Usage struct {
	KeyID    string // "" for what was booked without one
	Requests int64  // answered
	Calls    int64  // of the upstream, that they paid for
	Cost     int64  // in nano-dollars
}

// Mark is a row's place in the outbox; empty if it is not there.
type Mark string

// Entry is a row with its place in the outbox.
type Entry struct {
	Row  Row
	Mark Mark
}
