package service_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sentinel-chaos/sentinel/service"
)

func limited(perKey, perAddress service.Limit, replicas int) func(*service.Settings) {
	return func(s *service.Settings) {
		s.Limits = service.Limits{PerKey: perKey, PerAddress: perAddress, Replicas: replicas}
	}
}

// by is a request with that key, for an answer that is there.
func by(keyID string) service.Request {
	r := ask("a", "p")
	r.KeyID = keyID
	return r
}

// answered makes a world in which the answer to every request is in both stores.
func answeredWorld() *world {
	w := newWorld(0)
	w.redis.put(ask("a", "p").Key(), service.Answer{CallID: "c"})
	w.postgres.put(ask("a", "p").Key(), service.Answer{CallID: "c"})
	return w
}

// admitted asks n times at once and returns how many were not refused for a limit.
func admitted(t *testing.T, g *service.Gateway, n int, r service.Request) (count int) {
	t.Helper()
	for range n {
		_, err := g.Answer(t.Context(), r)
		var l *service.Limited
		switch {
		case err == nil:
			count++
		case !errors.As(err, &l):
			t.Fatal(err)
		}
	}
	return count
}

func TestEmptySharedBucketRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answeredWorld()
		w.redis.empty = &service.Limited{Kind: service.BucketOfKey, RetryAfter: time.Second}
		g, ledger := w.gateway("gateway-1", limited(service.Limit{Rate: 1, Burst: 1}, service.Limit{}, 1))
		_, err := g.Answer(t.Context(), by("7"))
		if !errors.Is(err, w.redis.empty) || w.tally.shared.Load() != 1 || w.tally.own.Load() != 0 {
			t.Errorf("got %v, counted %d shared, %d own", err, w.tally.shared.Load(), w.tally.own.Load())
		}
		if ledger.Pending() != 0 || w.model.total() != 0 {
			t.Errorf("a refusal left %d rows and %d calls", ledger.Pending(), w.model.total())
		}
	})
}

// Without Redis each replica lets its part of a flood through, and a refusal waits for no longer than Redis's budget.
func TestOwnBucketsHoldTheLimitWithoutRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const replicas, burst, flood = 3, 90, 100
		w := answeredWorld()
		w.redis.set(true)
		var all sync.WaitGroup
		var let, refused atomic.Int64
		for i := range replicas {
			g, _ := w.gateway(fmt.Sprint("gateway-", i), limited(service.Limit{Rate: 30, Burst: burst}, service.Limit{}, replicas))
			for range flood {
				all.Go(func() {
					asked := time.Now()
					_, err := g.Answer(t.Context(), by("7"))
					if err == nil {
						let.Add(1)
						return
					}
					refused.Add(1)
					var l *service.Limited
					if took := time.Since(asked); !errors.As(err, &l) || took != storeBudget {
						t.Errorf("%v after %s", err, took)
					}
				})
			}
		}
		all.Wait()
		if let.Load() != burst || refused.Load() != w.tally.own.Load() {
			t.Errorf("%d were admitted, not %d; %d refused, %d counted", let.Load(), burst, refused.Load(), w.tally.own.Load())
		}
	})
}

// A client that has used its tokens up finds none in the own buckets when Redis becomes unavailable; one that has not is not refused.
func TestOwnBucketsKnowWhatTheSharedOnesAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 10
		w := answeredWorld()
		g, _ := w.gateway("gateway-1", limited(service.Limit{Rate: 0.001, Burst: burst}, service.Limit{}, 1))
		if got := admitted(t, g, 2*burst, by("busy")); got != 2*burst { // the fake's shared bucket is never empty
			t.Fatalf("%d admitted", got)
		}
		w.redis.set(true)
		if got := admitted(t, g, burst, by("busy")); got != 0 {
			t.Errorf("%d admitted of the one that has used up its tokens", got)
		}
		if got := admitted(t, g, burst, by("calm")); got != burst {
			t.Errorf("%d admitted of the one that has not", got)
		}
	})
}

func TestRefusalOfTheOwnBucketTellsWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answeredWorld()
		w.redis.set(true)
		g, _ := w.gateway("gateway-1", limited(service.Limit{Rate: 0.2, Burst: 2}, service.Limit{}, 2))
		began := time.Now()
		if got := admitted(t, g, 1, by("7")); got != 1 {
			t.Fatal("the first was refused")
		}
		var l *service.Limited
		if _, err := g.Answer(t.Context(), by("7")); !errors.As(err, &l) || l.RetryAfter > 10*time.Second || l.RetryAfter < 10*time.Second-time.Since(began) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(l.RetryAfter + time.Microsecond)
		if got := admitted(t, g, 1, by("7")); got != 1 {
			t.Error("refused after the time that it was told")
		}
	})
}

func TestAddressesThatShareABucket(t *testing.T) {
	tests := []struct {
		first, second string
		same          bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff", true}, // one subscriber's
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	}
	for _, test := range tests {
		t.Run(test.first+" and "+test.second, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := answeredWorld()
				w.redis.set(true)
				g, _ := w.gateway("gateway-1", limited(service.Limit{}, service.Limit{Rate: 0.001, Burst: 1}, 1))
				first := g.AdmitAddress(t.Context(), netip.MustParseAddr(test.first))
				second := g.AdmitAddress(t.Context(), netip.MustParseAddr(test.second))
				if got := second != nil; first != nil || got != test.same {
					t.Errorf("one bucket: %t, %v, %v", got, first, second)
				}
			})
		})
	}
}

func TestNoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answeredWorld()
		w.redis.set(true)
		g, _ := w.gateway("gateway-1")
		if got := admitted(t, g, 50, by("7")); got != 50 {
			t.Errorf("%d admitted", got)
		}
		if err := g.AdmitAddress(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil || w.redis.taken != 0 {
			t.Errorf("%v, and the shared buckets were asked %d times", err, w.redis.taken)
		}
	})
}

// An address that floods has the shared buckets asked once until there is a token, and is told when that is.
func TestFloodOfAnAddressAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.redis.empty = &service.Limited{Kind: service.BucketOfAddress, RetryAfter: time.Second}
		g, _ := w.gateway("gateway-1", limited(service.Limit{}, service.Limit{Rate: 1, Burst: 5}, 3))
		client, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for i := range 100 {
			var l *service.Limited
			if err := g.AdmitAddress(t.Context(), client); !errors.As(err, &l) || l.RetryAfter != time.Second-time.Duration(i)*time.Millisecond {
				t.Fatalf("request %d: %v", i, err)
			}
			time.Sleep(time.Millisecond)
		}
		w.redis.empty = nil
		if err := g.AdmitAddress(t.Context(), other); err != nil || w.redis.taken != 2 {
			t.Errorf("another address got %v; asked %d times", err, w.redis.taken)
		}
		time.Sleep(900 * time.Millisecond)
		if err := g.AdmitAddress(t.Context(), client); err != nil || w.redis.taken != 3 {
			t.Errorf("afterwards: %v; asked %d times", err, w.redis.taken)
		}
		if w.tally.shared.Load() != 100 {
			t.Errorf("counted %d", w.tally.shared.Load())
		}
	})
}

// Whatever the traffic, what own buckets admit in any span of time is at most the burst and the rate times its length.
func TestOwnBucketsAdmitBurstAndRate(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := service.Limit{Rate: rapid.Float64Range(0.5, 1000).Draw(r, "rate"), Burst: rapid.IntRange(1, 50).Draw(r, "burst")}
		pauses := rapid.SliceOfN(rapid.IntRange(0, 200), 1, 100).Draw(r, "pauses in ms")
		var times []float64
		synctest.Test(t, func(t *testing.T) {
			w := answeredWorld()
			w.redis.set(true)
			g, _ := w.gateway("gateway-1", limited(limit, service.Limit{}, 1))
			began := time.Now()
			for _, pause := range pauses {
				time.Sleep(time.Duration(pause) * time.Millisecond)
				asked := time.Since(began).Seconds() + storeBudget.Seconds() // when the look into the cache has failed
				if admitted(t, g, 1, by("7")) == 1 {
					times = append(times, asked)
				}
			}
		})
		for i := range times {
			for j := i; j < len(times); j++ {
				if most := float64(limit.Burst) + limit.Rate*(times[j]-times[i]); float64(j-i+1) > math.Floor(most+1e-6) {
					r.Fatalf("%d admitted in %.3f s", j-i+1, times[j]-times[i])
				}
			}
		}
	})
}
