package service

import (
	"context"
	"time"
)

// Verdict is what a lease store replies to somebody who asks for a key's flight.
type Verdict int

// The verdicts. The zero value is the one that promises nothing.
const (
	NoReply  Verdict = iota // it did not reply within its budget: neither granted nor refused
	Refused                 // somebody else holds the flight
	Granted                 // the flight is the asker's until the lease ends
	Answered                // no flight is needed: the answer is there
)

// Reply is a lease store's verdict.
type Reply struct {
	Verdict    Verdict
	Answer     Answer    // with Answered
	ExpiresAt  time.Time // of the answer
	RowWritten bool      // the answer's ledger row is written: see LedgerStore.WriteAsync
}

// Settlement is the end of a flight that brought an answer.
type Settlement struct {
	Key       string
	Token     string // the holder's
	Answer    Answer
	ExpiresAt time.Time // of the answer; a moment, so that it does not move when the process stands still
	Row       *Row      // the call's ledger row, nil if it is durable already
}

// Receipt is what a lease store made of a Settlement.
type Receipt struct {
	Stored bool // the answer is there, by this Settlement or by an earlier one of the same flight
	Mark   Mark // the row's place in the outbox, if the lease store keeps one
}

// LeaseStore leases a key's flight to one holder at a time, and keeps the answer that the holder brings back. A holder is
// named by a token. Every method may be repeated with the same token without harm. An error means that there was no reply:
// the operation may or may not have happened. With dependency.ErrLate in it the lease store replies to others.
type LeaseStore interface {
	// Acquire asks for the flight, or renews the asker's lease of it, for the length of lease from now. A lease store that has the
	// answer may write hit, unless that is nil, as the answer's ledger row; it fills in the call.
	Acquire(ctx context.Context, key, token string, lease time.Duration, hit *Row) (Reply, error)
	// Settle stores the answer, unless somebody else holds the flight or has settled it. It writes the row whatever becomes of
	// the answer, and ends the lease.
	Settle(ctx context.Context, s Settlement) (Receipt, error)
	// Release ends the token's lease, if it has one.
	Release(ctx context.Context, key, token string) error
	// Up reports whether the next operation will be sent. It is not while the lease store is known to be unavailable.
	Up() bool
	// UpSince returns when the last outage ended that this replica knows of, or the zero time if there was none.
	UpSince() time.Time
}

// Cache answers hits.
type Cache interface {
	// Read takes a token out of each of the buckets, which all replicas share. In the same round trip it returns the answer for
	// hit.Key and puts hit into the outbox. ErrNoAnswer is a miss. If a bucket is empty, nothing happens, and the error is
	// a *Limited. Any other error means that the cache is unavailable.
	Read(ctx context.Context, hit Row, buckets []Bucket) (Answer, Mark, error)
}

// Buckets are the token buckets that all replicas share.
type Buckets interface {
	// Take takes a token out of each of the buckets. If one is empty, nothing happens, and the error is a *Limited. Any other error means
	// that the buckets are unavailable.
	Take(ctx context.Context, buckets []Bucket) error
}

// AnswerStore keeps answers beyond their expiry.
type AnswerStore interface {
	// Find returns the newest answer for key that has not expired, or did so at most grace ago, or ErrNoAnswer.
	Find(ctx context.Context, key string, grace time.Duration) (Answer, error)
}

// Upstream is the expensive dependency.
type Upstream interface {
	// Complete makes one billed call at most. Its error is an *Unavailable, or the context's. If a call was billed that brought no
	// answer, the Answer beside the error has its name and its cost.
	Complete(ctx context.Context, r Request) (Answer, error)
}

// HeldBack is a model of which the upstream is asked nothing for a while.
type HeldBack struct {
	Model   string
	Until   time.Time
	Why     string // one of HeldBackAsked and HeldBackFails
	Tenants int    // for whom alone; 0 for everybody
}

// Why a model is held back.
const (
	HeldBackAsked = "retry_after" // the upstream asked for it
	HeldBackFails = "failures"    // its calls fail
)

// KeyStore is where API keys are kept, by their SHA-256 in hexadecimal.
type KeyStore interface {
	// Identify returns whose key it is, or ErrUnauthorized.
	Identify(ctx context.Context, hash string) (Identity, error)
	// Add stores a new key of the tenant, which is made if it does not exist, and returns the key's id.
	Add(ctx context.Context, tenant, hash string) (string, error)
	// Revoke ends a key for good, or returns ErrNoKey. A key that was revoked before keeps its first moment.
	Revoke(ctx context.Context, id string) error
	// List returns the tenant's keys, or with "" everybody's, the newest first.
	List(ctx context.Context, tenant string) ([]Key, error)
}

// Outbox is the fast and durable place where ledger rows wait on their way to the ledger store.
type Outbox interface {
	Append(ctx context.Context, row Row) (Mark, error)
	// Forget removes rows that are in the ledger store.
	Forget(ctx context.Context, marks []Mark) error
	// Orphans returns at most limit rows that are older than age, and the length of the whole outbox.
	Orphans(ctx context.Context, age time.Duration, limit int) ([]Entry, int64, error)
}

// LedgerStore is where ledger rows end up.
type LedgerStore interface {
	// WriteAsync commits rows without waiting for a disk or a standby. They outlive this process, though perhaps not the
	// database's primary. Write must follow.
	WriteAsync(ctx context.Context, rows []Row) error
	// Write is idempotent: a row that is there already stays one row.
	Write(ctx context.Context, rows []Row) error
}

// Meter counts what passes through the pipeline.
type Meter interface {
	Looked(result string)        // a look into the cache: hit, miss or unavailable
	Limited(kind, bucket string) // a request refused for an empty bucket of that kind: the shared one or the replica's own
	Charged(nanousd int64)
	Panicked() // a panic that was recovered from, which the log tells of once as well
}
