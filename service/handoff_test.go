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

// A replica that shuts down first brings what it owes to lease stores that take it. It does not wait for one that is unavailable, nor
// for ever for one that is slow.
func TestShutdownFinishesTheHandoff(t *testing.T) {
	const delay = 100 * time.Millisecond
	for name, c := range map[string]struct {
		times int64 // that a settlement fails
		after func(*store)
		least time.Duration // that it takes
		most  time.Duration
		there bool
	}{
		"the store takes it":           {times: 4, least: delay / 2, most: delay, there: true},
		"the store takes nothing":      {times: 1 << 40, least: time.Second, most: 2 * time.Second},
		"the store is unavailable":     {times: 1 << 40, after: func(s *store) { s.set(true) }},
		"the store has missed no more": {there: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(0)
				r := ask("a", "p")
				postgres := &deaf{LeaseStore: w.postgres, key: r.Key()}
				postgres.times.Store(c.times)
				g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, postgres})
				work, stop := context.WithCancel(t.Context())
				go g.RunHandoff(work)
				if _, err := g.Answer(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if c.after != nil {
					c.after(w.postgres)
				}
				began := time.Now()
				g.FinishHandoff(t.Context())
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("it took %s, not %s to %s", took, c.least, c.most)
				}
				if _, ok := w.postgres.answer(r.Key()); ok != c.there {
					t.Errorf("PostgreSQL has the answer: %t", ok)
				}
				stop()
				synctest.Wait()
			})
		})
	}
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
		late.up.Store(true)
		w.redis.put(r.Key(), service.Answer{CallID: "other"})
		w.postgres.seize(r.Key(), late.token(), lease)
		rs.all.Wait()
		if err := g.Wait(t.Context(), time.Second); err != nil { // as a replica does that shuts down right after
			t.Fatal(err)
		}
		g.FinishHandoff(t.Context())
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
	up          atomic.Bool
}

func (s *slowly) token() string { return s.asked.Load().(string) }

// Up is what whoever asks before a call knows of it.
func (s *slowly) Up() bool { return s.up.Load() }

func (s *slowly) UpSince() time.Time { return time.Time{} }

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

// What an outage left comes one after another, without a rest and never two at a time.
func TestHandoffGoesOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes, missed, within = 50 * time.Millisecond, 300, 2 * time.Second
		w := newWorld(0)
		postgres := &slowLater{LeaseStore: w.postgres, takes: takes, missed: map[string]bool{}}
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, postgres})
		for i := range missed {
			if _, err := g.Answer(t.Context(), ask("a", strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		work, stop := context.WithCancel(t.Context())
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() { g.RunHandoff(work) })
		time.Sleep(within - time.Millisecond)
		stop()
		all.Wait()
		if came := len(postgres.came); came != int(within/takes) {
			t.Errorf("%d answers came in %s", came, within)
		}
		for i, at := range postgres.came {
			if want := time.Duration(i) * takes; at.Sub(began) != want {
				t.Fatalf("answer %d came after %s, want %s", i, at.Sub(began), want)
			}
		}
	})
}

// An answer that a lease store does not take for now does not keep it from the others.
func TestHandoffGoesRoundWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		stuck := ask("a", "stuck")
		postgres := &deaf{LeaseStore: w.postgres, key: stuck.Key()}
		postgres.times.Store(1 << 40)
		missing := &slowLater{LeaseStore: postgres, missed: map[string]bool{}}
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, missing})
		others := []service.Request{ask("b", "1"), ask("b", "2"), ask("b", "3")}
		for _, r := range append([]service.Request{stuck}, others...) {
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		work, stop := context.WithCancel(t.Context())
		go g.RunHandoff(work)
		time.Sleep(100 * time.Millisecond)
		for _, r := range others {
			if _, ok := w.postgres.answer(r.Key()); !ok {
				t.Error("an answer waits for one that is not taken")
			}
		}
		postgres.times.Store(0)
		time.Sleep(100 * time.Millisecond)
		if _, ok := w.postgres.answer(stuck.Key()); !ok {
			t.Error("the one that was not taken was lost")
		}
		stop()
		synctest.Wait()
	})
}
