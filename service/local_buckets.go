package service

import (
	"math"
	"sync"
	"time"
)

// localBuckets are a replica's own token buckets, each with its part of the shared bucket's rate and size. They decide while
// the shared buckets are unavailable. Every request that a shared bucket admits takes a token here too, as far as there is one.
// So a client that has used up its shared tokens finds none here either, and a client that has not is not refused.
// The zero value divides by 1.
type localBuckets struct {
	replicas int
	mu       sync.Mutex
	levels   map[string]level
	sweepAt  int // number of levels from which those of full buckets are looked for
}

// level is how full a bucket was at a moment. A bucket without one is full.
type level struct {
	tokens float64
	at     time.Time
	full   time.Time // when it is full if nothing more is taken
}

// fewLevels is a number of levels that is not worth a sweep.
const fewLevels = 1024

// spend takes a token out of each bucket that has one.
func (l *localBuckets) spend(buckets []Bucket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, b := range buckets {
		own := l.share(b.Limit)
		l.set(b, own, max(0, l.tokens(b, own, now)-1), now)
	}
}

// take takes a token out of each bucket. If one of them is empty, it takes none and returns when to come again.
func (l *localBuckets) take(buckets []Bucket) *Limited {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	var empty *Limited
	for _, b := range buckets {
		own := l.share(b.Limit)
		if missing := 1 - l.tokens(b, own, now); missing > 0 {
			wait := time.Duration(math.Ceil(missing / own.rate * float64(time.Second)))
			if empty == nil || wait > empty.RetryAfter {
				empty = &Limited{Kind: b.Kind, RetryAfter: wait}
			}
		}
	}
	if empty != nil {
		return empty
	}
	for _, b := range buckets {
		own := l.share(b.Limit)
		l.set(b, own, l.tokens(b, own, now)-1, now)
	}
	return nil
}

// share is one replica's part of a limit: its rate in tokens per second, and its size in tokens, which is 1 at least, since a
// smaller bucket would never let anything through.
type share struct{ rate, size float64 }

func (l *localBuckets) share(whole Limit) share {
	n := float64(max(1, l.replicas))
	return share{rate: whole.Rate / n, size: max(1, float64(whole.Burst)/n)}
}

func (l *localBuckets) tokens(b Bucket, p share, now time.Time) float64 {
	was, ok := l.levels[b.Name()]
	if !ok {
		return p.size
	}
	return min(p.size, was.tokens+now.Sub(was.at).Seconds()*p.rate)
}

func (l *localBuckets) set(b Bucket, p share, tokens float64, now time.Time) {
	if l.levels == nil {
		l.levels = make(map[string]level)
	}
	if len(l.levels) >= max(l.sweepAt, fewLevels) {
		l.sweep(now)
	}
	full := now.Add(time.Duration((p.size - tokens) / p.rate * float64(time.Second)))
	l.levels[b.Name()] = level{tokens: tokens, at: now, full: full}
}

// sweep forgets the buckets that are full. The next one comes when there are twice as many as are left, so that it costs each
// request little.
func (l *localBuckets) sweep(now time.Time) {
	for name, level := range l.levels {
		if !level.full.After(now) {
			delete(l.levels, name)
		}
	}
	l.sweepAt = 2 * len(l.levels)
}
