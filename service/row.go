package service

import "time"

// Kinds of rows.
const (
	RowCall = "call" // this request's flight called the upstream, and pays for it
	RowHit  = "hit"  // answered without a call of its own; costs nothing
)

// Row is one entry of the ledger: this request was answered by that call.
type Row struct {
	RequestID string    `json:"request_id"`
	Tenant    string    `json:"tenant"`
	KeyID     string    `json:"key_id,omitempty"` // of the API key that the request came with
	Key       string    `json:"key"`
	Kind      string    `json:"kind"`
	CallID    string    `json:"call_id"`
	Cost      int64     `json:"cost_nanousd"`
	At        time.Time `json:"at"`
	Replica   string    `json:"replica"`
	Boot      string    `json:"boot"`
}

// ID identifies the row: request and call. A request that the load balancer sends to two replicas is one row when both
// give the same call's answer; two calls are two rows, whatever ids a client chooses, so that no bill is ever lost.
func (r Row) ID() string { return r.RequestID + "/" + r.CallID }

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
