package service_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

func TestAnswerIsHandedOffWhenItsSecondStoreReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			g, _ := w.gateway("gateway-1")
			work, stop := context.WithCancel(t.Context())
			go g.RunHandoff(work)
			away := map[string]*store{"redis": w.redis, "postgres": w.postgres}[name]
			away.set(true)
			r := ask("a", "p")
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			away.set(false)
			time.Sleep(time.Second)
			if _, ok := away.answer(r.Key()); !ok {
				t.Errorf("%s did not get the answer", name)
			}
			stop()
			synctest.Wait()
		}
	})
}

// settled counts what a lease store is given.
type settled struct {
	service.LeaseStore
	times atomic.Int64
}

func (c *settled) Settle(ctx context.Context, s service.Settlement) (service.Receipt, error) {
	receipt, err := c.LeaseStore.Settle(ctx, s)
	if err == nil {
		c.times.Add(1)
	}
	return receipt, err
}

// Redis may come back empty. What was read from PostgreSQL meanwhile it gets without being asked for it, and once.
func TestAnswerThatWasReadInAnOutageIsHandedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		first, second := ask("a", "first"), ask("b", "second")
		w.postgres.put(first.Key(), service.Answer{CallID: "c1"})
		w.postgres.put(second.Key(), service.Answer{CallID: "c2"})
		redis := &settled{LeaseStore: w.redis}
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{redis, w.postgres})
		defer inBackground(g.RunHandoff)()
		for range 2 { // outages
			w.redis.set(true)
			for range 3 {
				for _, r := range []service.Request{first, second} {
					if result, err := g.Answer(t.Context(), r); err != nil || result.Source != service.Stored {
						t.Fatal(result, err)
					}
				}
			}
			w.redis.forget()
			w.redis.set(false)
			time.Sleep(time.Second)
			for _, r := range []service.Request{first, second} {
				if _, ok := w.redis.answer(r.Key()); !ok {
					t.Error("Redis did not get an answer")
				}
			}
			if n := redis.times.Swap(0); n != 2 {
				t.Errorf("Redis was given %d answers", n)
			}
		}
	})
}

// A claim that a waiting replica asked for when PostgreSQL became unavailable comes back with it, and nobody knows of it.
func TestHandoffOutlastsALeaseThatNobodyKnowsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		work, stop := context.WithCancel(t.Context())
		go g.RunHandoff(work)
		r := ask("a", "p")
		w.postgres.seize(r.Key(), "left behind", lease)
		w.postgres.set(true)
		if _, err := g.Answer(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.postgres.set(false)
		time.Sleep(2 * lease)
		if _, ok := w.postgres.answer(r.Key()); !ok {
			t.Error("PostgreSQL did not get the answer")
		}
		stop()
		synctest.Wait()
	})
}

// deaf is a lease store that does not answer settlements of one key, so many times.
type deaf struct {
	service.LeaseStore
	key   string
	times atomic.Int64
}

func (d *deaf) Settle(ctx context.Context, s service.Settlement) (service.Receipt, error) {
	if s.Key == d.key && d.times.Add(-1) >= 0 {
		return service.Receipt{}, errDown
	}
	return d.LeaseStore.Settle(ctx, s)
}

// An answer that one lease store missed for a moment does not wait for one that the other misses for long.
func TestHandoffToOneStoreDoesNotWaitForTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		first, second := ask("a", "first"), ask("b", "second")
		redis, postgres := &deaf{LeaseStore: w.redis, key: second.Key()}, &deaf{LeaseStore: w.postgres, key: first.Key()}
		redis.times.Store(1)
		postgres.times.Store(1 << 40)
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{redis, postgres})
		work, stop := context.WithCancel(t.Context())
		go g.RunHandoff(work)
		for _, r := range []service.Request{first, second} {
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(50 * time.Millisecond)
		if _, ok := w.redis.answer(second.Key()); !ok {
			t.Error("Redis did not get what it missed")
		}
		stop()
		synctest.Wait()
	})
}

// What an unavailable lease store holds for a flight that failed is released when it answers again, so that others need not wait for
// the lease to end; and if nobody answered, what was never granted is released without harm.
func TestLeaseOfAnUnavailableStoreIsReleasedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			g, _ := w.gateway("gateway-1")
			work, stop := context.WithCancel(t.Context())
			go g.RunHandoff(work)
			unavailable := map[string]*store{"redis": w.redis, "postgres": w.postgres}[name]
			r := ask("a", "p")
			w.model.err = errDown
			time.AfterFunc(100*time.Millisecond, func() { unavailable.set(true) }) // while the call is under way
			if _, err := g.Answer(t.Context(), r); err == nil {
				t.Fatal("answered although the model failed")
			}
			if !unavailable.holds(r.Key()) {
				t.Fatalf("%s holds nothing, although nobody could release it", name)
			}
			unavailable.set(false)
			time.Sleep(time.Second)
			if unavailable.holds(r.Key()) {
				t.Errorf("%s still holds the key of a flight that is over", name)
			}
			stop()
			synctest.Wait()
		}
	})
}

// A replica that waits for another's call may have been granted the flight by a lease store that became unavailable before it could say
// so. When it has the answer, the grant is released: else whoever is cut off from the other lease store waits for a lease, or worse,
// asks with the same token and calls.
func TestUnconfirmedGrantIsReleasedWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		r := ask("a", "p")
		w.redis.set(true)
		w.postgres.set(true)
		late := &slowly{LeaseStore: w.postgres}
		late.unavailable.Store(1 << 40)
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, late})
		work, stop := context.WithCancel(t.Context())
		go g.RunHandoff(work)
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(3 * storeBudget)
		w.redis.set(false)
		w.postgres.set(false)
		w.redis.put(r.Key(), service.Answer{CallID: "other"})
		w.postgres.seize(r.Key(), late.token(), lease)
		rs.all.Wait()
		time.Sleep(2 * time.Second)
		if len(rs.errs) > 0 || w.postgres.holds(r.Key()) {
			t.Errorf("PostgreSQL still holds the key; errors %v", rs.errs)
		}
		stop()
		synctest.Wait()
	})
}

// slowly is a lease store that does as it is asked when the asker has gone.
type slowly struct {
	service.LeaseStore
	unavailable atomic.Int64 // acquisitions that it does not hear, before those
	asked       atomic.Value // token of the latest
}

func (s *slowly) token() string { return s.asked.Load().(string) }

// Up is what whoever asks before a call knows of it.
func (s *slowly) Up() bool { return false }

func (s *slowly) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	s.asked.Store(token)
	if s.unavailable.Add(-1) >= 0 {
		return service.Reply{}, errDown
	}
	<-ctx.Done() // the call is over
	time.AfterFunc(lease/10, func() { _, _ = s.LeaseStore.Acquire(context.WithoutCancel(ctx), key, token, lease, hit) })
	return service.Reply{}, ctx.Err()
}

// A question that was under way when the call ended may be granted after all, when the lease is over.
func TestGrantThatCameAfterTheCallIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.model.err = errDown
		late := &slowly{LeaseStore: w.postgres}
		late.unavailable.Store(1)
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, late})
		work, stop := context.WithCancel(t.Context())
		go g.RunHandoff(work)
		r := ask("a", "p")
		if _, err := g.Answer(t.Context(), r); err == nil {
			t.Fatal("answered although the model failed")
		}
		time.Sleep(lease/10 + time.Millisecond)
		if !w.postgres.holds(r.Key()) {
			t.Fatal("nothing was asked during the call")
		}
		time.Sleep(time.Second)
		if w.postgres.holds(r.Key()) {
			t.Error("PostgreSQL still holds the key of a flight that is over")
		}
		stop()
		synctest.Wait()
	})
}

// slowLater is a lease store that misses the first settlement of each key, and takes its time for the next.
type slowLater struct {
	service.LeaseStore
	takes time.Duration

	mu     sync.Mutex
	missed map[string]bool
	came   []time.Time
}

func (s *slowLater) Settle(ctx context.Context, with service.Settlement) (service.Receipt, error) {
	s.mu.Lock()
	again := s.missed[with.Key]
	s.missed[with.Key] = true
	if again {
		s.came = append(s.came, time.Now())
	}
	s.mu.Unlock()
	if !again {
		return service.Receipt{}, errDown
	}
	time.Sleep(s.takes)
	return s.LeaseStore.Settle(ctx, with)
}

// What a short outage left comes at once; after a long one the lease store has time for others.
func TestHandoffIsQuickWithFewAndGentleWithMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 50 * time.Millisecond
		for _, c := range []struct{ missed, least, most int }{{4, 4, 4}, {300, 18, 24}} { // half of a connection's time: 20 in 2 s
			w := newWorld(0)
			postgres := &slowLater{LeaseStore: w.postgres, takes: takes, missed: map[string]bool{}}
			g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, postgres})
			for i := range c.missed {
				if _, err := g.Answer(t.Context(), ask("a", strconv.Itoa(i))); err != nil {
					t.Fatal(err)
				}
			}
			work, stop := context.WithCancel(t.Context())
			began := time.Now()
			go g.RunHandoff(work)
			time.Sleep(2*time.Second - time.Millisecond)
			stop()
			synctest.Wait()
			if came := len(postgres.came); came < c.least || came > c.most {
				t.Errorf("of %d answers %d came in 2 s", c.missed, came)
			}
			if c.missed <= 4 && postgres.came[c.missed-1].Sub(began) > takes {
				t.Errorf("the last of %d answers came after %s", c.missed, postgres.came[c.missed-1].Sub(began))
			}
		}
	})
}
