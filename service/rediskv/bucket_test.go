package rediskv_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/rediskv"
)

func bucket(kind, id string, rate float64, burst int) service.Bucket {
	return service.Bucket{Limit: service.Limit{Rate: rate, Burst: burst}, Kind: kind, ID: id}
}

// take reports whether a request was let through, and the refusal if not.
func take(t *testing.T, s *rediskv.Store, buckets ...service.Bucket) (bool, *service.Limited) {
	t.Helper()
	_, _, err := s.Read(t.Context(), service.Row{Key: t.Name()}, buckets)
	var l *service.Limited
	if !errors.As(err, &l) && !errors.Is(err, service.ErrNoAnswer) {
		t.Error(err)
	}
	return l == nil, l
}

// Two replicas that flood one bucket get its size and what flows in, to within 1 %. A machine that stands still for a moment
// may let a full bucket overflow, but not one that was found empty: no less is let through than its size and what flowed in
// from the first refusal to the last.
func testSharedBucket(t *testing.T, r *servers.Redis) {
	const rate, burst = 50, 200
	b := bucket(service.BucketOfKey, t.Name(), rate, burst)
	var mu sync.Mutex
	let, first, last := 0, time.Hour, time.Duration(0)
	began := time.Now()
	var all sync.WaitGroup
	for range 2 {
		replica := openStore(t, r, budget)
		for range 2 {
			all.Go(func() {
				for ok := true; ok || time.Since(began) < 2*time.Second; {
					asked := time.Since(began)
					ok, _ = take(t, replica, b)
					mu.Lock()
					if ok {
						let++
					} else {
						first, last = min(first, time.Since(began)), max(last, asked)
					}
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	most, least := burst+rate*time.Since(began).Seconds(), burst+rate*(last-first).Seconds()
	if n := float64(let); n > 1.01*most || n < 0.99*least {
		t.Errorf("%d were let through, not %.1f to %.1f", let, least, most)
	}
}

func testTwoBuckets(t *testing.T, s *rediskv.Store, admin *redis.Client) {
	large, small := bucket(service.BucketOfKey, t.Name(), 0.01, 3), bucket(service.BucketOfAddress, t.Name(), 0.1, 1)
	if ok, l := take(t, s, large, small); !ok {
		t.Fatal(l)
	}
	for range 5 {
		ok, l := take(t, s, large, small)
		if ok || l.Kind != service.BucketOfAddress || l.RetryAfter > 10*time.Second || l.RetryAfter < 5*time.Second {
			t.Errorf("let through: %t, %+v", ok, l)
		}
	}
	for i := range 3 { // the refusals took nothing out of the large one
		if ok, l := take(t, s, large); ok != (i < 2) {
			t.Errorf("request %d: %v", i, l)
		}
	}
	if ok, l := take(t, s, small, large); ok || l.Kind != service.BucketOfKey || l.RetryAfter < 80*time.Second {
		t.Errorf("of two empty buckets the one that takes longer counts: %+v", l)
	}
	if rows, err := admin.XLen(t.Context(), "sentinel:journal").Result(); rows != 0 || err != nil {
		t.Errorf("%d rows in the outbox, %v", rows, err)
	}
}

// A bucket can be taken from without a look into the cache. It is the same one.
func testBucketAlone(t *testing.T, s *rediskv.Store, _ *redis.Client) {
	b := bucket(service.BucketOfAddress, t.Name(), 0.01, 2)
	if err := s.Take(t.Context(), []service.Bucket{b}); err != nil {
		t.Error(err)
	}
	if ok, l := take(t, s, b); !ok {
		t.Error(l)
	}
	var l *service.Limited
	if err := s.Take(t.Context(), []service.Bucket{b}); !errors.As(err, &l) || l.Kind != service.BucketOfAddress || l.RetryAfter < 80*time.Second {
		t.Errorf("from the empty one: %v", err)
	}
}

// A hit that is refused is neither answered nor in the outbox.
func testLimitedHit(t *testing.T, s *rediskv.Store, _ *redis.Client) {
	b := bucket(service.BucketOfKey, t.Name(), 0.01, 1)
	settle(t, s, service.Settlement{Key: t.Name(), Token: "a", Answer: service.Answer{CallID: "c1"}})
	hit := service.Row{RequestID: "r", Key: t.Name(), Kind: service.RowHit, At: time.Now().UTC()}
	if answer, mark, err := s.Read(t.Context(), hit, []service.Bucket{b}); err != nil || answer.CallID != "c1" || mark == "" {
		t.Errorf("the first: %+v, %q, %v", answer, mark, err)
	}
	var l *service.Limited
	if answer, mark, err := s.Read(t.Context(), hit, []service.Bucket{b}); !errors.As(err, &l) || answer.CallID != "" || mark != "" {
		t.Errorf("the second: %+v, %q, %v", answer, mark, err)
	}
	if entries := outbox(t, s); len(entries) != 1 {
		t.Errorf("in the outbox %+v", entries)
	}
	forgetAll(t, s)
}

// The clock of the next master may be ahead or behind: a bucket is never more than full, nor closed for longer than it takes to
// fill.
func testBucketOfAnotherClock(t *testing.T, s *rediskv.Store, admin *redis.Client) {
	b := bucket(service.BucketOfKey, t.Name(), 0.01, 2)
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		kept := fmt.Sprintf("%d %d", 1, time.Now().Add(skew).UnixMicro())
		if err := admin.Set(t.Context(), "sentinel:bucket:"+b.Name(), kept, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		most := map[time.Duration]int{-time.Hour: 2, time.Hour: 1}[skew]
		for i := range 3 {
			if ok, l := take(t, s, b); ok != (i < most) {
				t.Errorf("skew %s, request %d: let through %t, %+v", skew, i, ok, l)
			}
		}
	}
}

// A bucket that is full again takes no room.
func testFullBucket(t *testing.T, s *rediskv.Store, admin *redis.Client) {
	b := bucket(service.BucketOfKey, t.Name(), 1000, 10)
	take(t, s, b)
	servers.Await(t, "the bucket is forgotten", func(ctx context.Context) error {
		if n := admin.Exists(ctx, "sentinel:bucket:"+b.Name()).Val(); n != 0 {
			return errors.New("it is there")
		}
		return nil
	})
}
