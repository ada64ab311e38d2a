package service

import (
	"errors"
	"time"
)

var (
	// ErrNoAnswer is the error of a store that does not have the answer.
	ErrNoAnswer = errors.New("no answer stored")
	// ErrUnauthorized is the error for an API key that is unknown or revoked.
	ErrUnauthorized = errors.New("unknown or revoked API key")
	// ErrNoKey is the error for an id of which there is no API key.
	ErrNoKey = errors.New("no such API key")
	// errLeaseLost is why a call is aborted whose lease no lease store covers any longer.
	errLeaseLost = errors.New("the lease on the flight could not be renewed")
)

// Reasons of an Unavailable, as clients see them.
const (
	ReasonNoAuthority = "no_authority"      // no lease store granted the flight
	ReasonDeadline    = "deadline"          // somebody else's flight did not end in time
	ReasonOverloaded  = "overloaded"        // as many queries as may be are being answered
	ReasonLedgerFull  = "ledger_full"       // no room for another row
	ReasonLeaseLost   = "lease_lost"        // the flight was aborted
	ReasonBreaker     = "breaker_open"      // the upstream is given a rest
	ReasonUpstream    = "upstream_failed"   // the upstream answered with an error or with nonsense
	ReasonTimeout     = "upstream_timeout"  // the upstream did not answer in time
	ReasonRejected    = "upstream_rejected" // the upstream does not take this query
	ReasonAuth        = "auth_unavailable"  // the key could not be looked up
	ReasonBooks       = "books_unavailable" // what was used could not be read
	ReasonInternal    = "internal"          // a defect of the gateway
)

// Unavailable is a request that cannot be answered now but may be later.
type Unavailable struct {
	Reason     string
	RetryAfter time.Duration
	Err        error // the cause, for the log; nil if there is none beside the reason
}

// Error describes the reason and its cause.
func (u *Unavailable) Error() string {
	if u.Err == nil {
		return u.Reason
	}
	return u.Reason + ": " + u.Err.Error()
}

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Err }
