package service

import (
	"sync"
	"time"
)

// standingRefusals remember of which buckets it is known until when they have no token. Whoever floods is refused from here until
// then, which asks no store. The zero value is ready for use.
type standingRefusals struct {
	mu      sync.Mutex
	until   map[string]time.Time // by the bucket's name
	sweepAt int                  // number of entries from which those that are over are looked for
}

// of returns the refusal that stands for a bucket, nil if none does.
func (s *standingRefusals) of(b Bucket) *Limited {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Until(s.until[b.Name()])
	if wait <= 0 {
		return nil
	}
	return &Limited{Kind: b.Kind, RetryAfter: wait}
}

// note remembers a refusal.
func (s *standingRefusals) note(b Bucket, l *Limited) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = make(map[string]time.Time)
	}
	if len(s.until) >= max(s.sweepAt, fewLevels) {
		for name, until := range s.until {
			if time.Until(until) <= 0 {
				delete(s.until, name)
			}
		}
		s.sweepAt = 2 * len(s.until)
	}
	s.until[b.Name()] = time.Now().Add(l.RetryAfter)
}
