package service

import (
	"fmt"
	"net/netip"
	"time"
)

// Limit is the measure of a token bucket. The zero Limit limits nothing.
type Limit struct {
	Rate  float64 // tokens per second that flow in; 0 is no limit
	Burst int     // tokens that a full bucket holds
}

// Limits are what clients are held to. A request takes one token out of the bucket of its address before anything is done for it, and one
// out of that of its key before it is answered.
type Limits struct {
	PerKey     Limit // of each API key
	PerAddress Limit // of each client's address
	Replicas   int   // that share the limits: each holds clients to its part while the shared buckets are unavailable
}

// Kinds of buckets.
const (
	BucketOfKey     = "key"
	BucketOfAddress = "address"
)

// Bucket is the token bucket of one API key or of one address.
type Bucket struct {
	Limit
	Kind string
	ID   string // the key's or the address's
}

// Name is different for any two buckets.
func (b Bucket) Name() string { return b.Kind + ":" + b.ID }

// ofKey returns the bucket that limits the requests of an API key, none if nothing does.
func (l Limits) ofKey(id string) []Bucket {
	if l.PerKey.Rate <= 0 || id == "" {
		return nil
	}
	return []Bucket{{Limit: l.PerKey, Kind: BucketOfKey, ID: id}}
}

// ofAddress returns the bucket that limits the requests from an address, none if nothing does.
func (l Limits) ofAddress(client netip.Addr) []Bucket {
	if l.PerAddress.Rate <= 0 || !client.IsValid() {
		return nil
	}
	return []Bucket{{Limit: l.PerAddress, Kind: BucketOfAddress, ID: subscriber(client)}}
}

// ipv6Subscriber is the length in bits of the IPv6 prefix that one subscriber is given at least (RFC 6177): whoever has it
// could take another address for every request.
const ipv6Subscriber = 64

// subscriber names whom an address belongs to.
func subscriber(a netip.Addr) string {
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	prefix, err := a.WithZone("").Prefix(ipv6Subscriber)
	if err != nil {
		return a.String()
	}
	return prefix.Addr().String()
}

// Limited is a request that came too early: one of its buckets is empty.
type Limited struct {
	Kind       string        // of the bucket
	RetryAfter time.Duration // until a token is there, if nobody else takes it
}

// Error describes which bucket is empty.
func (l *Limited) Error() string {
	return fmt.Sprintf("the bucket of this %s is empty for another %s", l.Kind, l.RetryAfter)
}
