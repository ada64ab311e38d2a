package service

import (
	"context"
	"time"
)

// Verdict is what an authority says to somebody who asks for a key's flight.
type Verdict int

// The verdicts. The zero value is the one that promises nothing.
const (
	Silent   Verdict = iota // it said nothing within its budget: neither granted nor refused
	Refused                 // somebody else holds the flight
	Granted                 // the flight is the asker's until the lease ends
	Answered                // no flight is needed: the answer is there
)

// Reply is an authority's verdict; with Answered it carries the answer and when that dies.
type Reply struct {
	Verdict Verdict
	Answer  Answer
	Dies    time.Time
	Noted   bool // the row of the answer is noted: see Book
}

// Settlement is the end of a flight that brought an answer.
type Settlement struct {
	Key    string
	Token  string // the holder's
	Answer Answer
	Dies   time.Time // until when the answer may be given; a moment, so that it does not move when the process stands still
	Row    *Row      // the call's ledger row, nil if it is durable already
}

// Receipt is what an authority made of a Settlement.
type Receipt struct {
	Stored bool // the answer is there, by this Settlement or by an earlier one of the same flight
	Mark   Mark // the row's place in the journal, if the authority keeps one
}

// Authority hands a key's flight to one holder at a time, and keeps the answer that the holder brings back. Holders are
// named by a token. Every method may be repeated with the same token without harm. An error means silence: the operation
// may or may not have happened.
type Authority interface {
	// Acquire asks for the flight, or renews the asker's hold on it, for the length of lease from now. An authority that answers
	// may note hit, unless that is nil, as the row of the answer; it fills in the call.
	Acquire(ctx context.Context, key, token string, lease time.Duration, hit *Row) (Reply, error)
	// Settle stores the answer, unless somebody else holds the flight or has settled it, appends the row whatever
	// becomes of the answer, and ends the hold.
	Settle(ctx context.Context, s Settlement) (Receipt, error)
	// Release ends the token's hold, if it has one.
	Release(ctx context.Context, key, token string) error
	// Up says whether the next operation will be sent. It is not while the authority is known to be silent.
	Up() bool
}

// Cache answers hits.
type Cache interface {
	// Read takes a token out of each of the buckets, which all replicas share, and in the same round trip returns the answer
	// for hit.Key and journals hit for it. ErrNoAnswer is a miss. If a bucket is empty, nothing happens, and the error is
	// a *Limited. Any other error means silence.
	Read(ctx context.Context, hit Row, buckets []Bucket) (Answer, Mark, error)
}

// Archive keeps answers for longer than they live.
type Archive interface {
	// Find returns the newest answer for key that lives, or died at most grace ago, or ErrNoAnswer.
	Find(ctx context.Context, key string, grace time.Duration) (Answer, error)
}

// Upstream is the expensive dependency.
type Upstream interface {
	// Complete makes one billed call at most. Its error is an *Unavailable, or the context's.
	Complete(ctx context.Context, r Request) (Answer, error)
}

// Keys is where API keys are kept, by their SHA-256 in hexadecimal.
type Keys interface {
	// Identify returns whose key it is, or ErrUnauthorized.
	Identify(ctx context.Context, hash string) (Identity, error)
	// Add stores a new key of the tenant, which is made if it does not exist, and returns the key's id.
	Add(ctx context.Context, tenant, hash string) (string, error)
	// Revoke ends a key for good, or returns ErrNoKey. A key that was revoked before keeps its first moment.
	Revoke(ctx context.Context, id string) error
	// List returns the tenant's keys, or with "" everybody's, the newest first.
	List(ctx context.Context, tenant string) ([]Key, error)
}

// Journal is the fast and durable place where ledger rows wait on their way to the book.
type Journal interface {
	Append(ctx context.Context, row Row) (Mark, error)
	// Forget removes rows that are in the book.
	Forget(ctx context.Context, marks []Mark) error
	// Orphans returns at most limit rows that are older than age, and the length of the whole journal.
	Orphans(ctx context.Context, age time.Duration, limit int) ([]Entry, int64, error)
}

// Book is where ledger rows end up.
type Book interface {
	// Note brings rows to where they outlive this process, though perhaps not the book's keeper: it waits for no disk and for no
	// standby. Write must follow.
	Note(ctx context.Context, rows []Row) error
	// Write is idempotent: a row that is there already stays one row.
	Write(ctx context.Context, rows []Row) error
}

// Meter counts what passes through the pipeline.
type Meter interface {
	Looked(result string)        // a look into the cache: hit, miss or silent
	Limited(kind, bucket string) // a request refused for an empty bucket of that kind: the shared one or the replica's own
	Charged(nanousd int64)
}
