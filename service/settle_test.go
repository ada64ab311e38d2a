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

// freeze runs a call whose holder notices nothing until its lease is long over; meanwhile happens before the call ends.
func freeze(t *testing.T, w *world, r service.Request, meanwhile func()) (service.Result, *service.Ledger) {
	w.model.deaf = true
	thawed, ledger := w.gateway("gateway-1")
	var result service.Result
	var asked sync.WaitGroup
	w.redis.set(true) // a frozen process renews nothing; that its stores are away looks the same to it
	asked.Go(func() {
		var err error
		if result, err = thawed.Answer(t.Context(), r); err != nil {
			t.Errorf("the frozen replica's client got %v", err)
		}
	})
	synctest.Wait()
	time.Sleep(2*storeBudget + time.Millisecond) // once for the cache, once for the lock
	w.postgres.set(true)
	time.Sleep(2 * lease)
	w.redis.set(false)
	w.postgres.set(false)
	meanwhile()
	asked.Wait()
	return result, ledger
}

func TestThawedHolderOverwritesNothingAndBooksItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, newer := newWorld(4*lease), ask("frozen", "p"), service.Answer{CallID: "newer"}
		result, ledger := freeze(t, w, r, func() {
			w.redis.put(r.Key(), newer)
			w.postgres.put(r.Key(), newer)
		})
		if result.Answer != newer || result.Source == service.Call {
			t.Errorf("its client got %+v", result)
		}
		for name, s := range map[string]*store{"redis": w.redis, "postgres": w.postgres} {
			if got, _ := s.answer(r.Key()); got != newer {
				t.Errorf("%s has %+v", name, got)
			}
		}
		if err := ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		booked := map[string]int64{}
		for _, row := range w.postgres.booked() {
			booked[row.Kind+" "+row.CallID] = row.Cost
		}
		call := "call call-" + r.Key()[:6] + "-1"
		if len(booked) != 2 || booked[call] != 7 || booked["hit newer"] != 0 {
			t.Errorf("booked %+v", booked)
		}
	})
}

// Nobody else asked while the holder was frozen: the answer that was paid for serves the next request too.
func TestThawedHolderStoresItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(4*lease), ask("frozen", "p")
		asked := time.Now()
		result, _ := freeze(t, w, r, func() {})
		for name, s := range map[string]*store{"redis": w.redis, "postgres": w.postgres} {
			if got, ok := s.answer(r.Key()); !ok || got != result.Answer {
				t.Errorf("%s has %+v", name, got)
			}
		}
		if result.Source != service.Call || result.Cost != 7 {
			t.Errorf("its client got %+v", result)
		}
		if dies, most := w.postgres.answers[r.Key()].dies, asked.Add(lease+storeBudget+lifetime); dies.After(most) {
			t.Errorf("its lifetime counts from the thaw: it dies %s too late", dies.Sub(most))
		}
	})
}

// Somebody else is calling when the holder thaws: it waits for that answer, which is the one that will be stored.
func TestThawedHolderWaitsForItsHeir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, newer := newWorld(4*lease), ask("frozen", "p"), service.Answer{CallID: "newer"}
		result, _ := freeze(t, w, r, func() {
			w.redis.seize(r.Key(), "heir", time.Hour)
			w.postgres.seize(r.Key(), "heir", time.Hour)
			time.AfterFunc(3*lease, func() { // the call has 2 leases to go
				w.redis.put(r.Key(), newer)
				w.postgres.put(r.Key(), newer)
			})
		})
		if result.Answer != newer || result.Source != service.Shared || w.model.total() != 1 {
			t.Errorf("its client got %+v after %d calls", result, w.model.total())
		}
	})
}

// Between the holder's look at its lease and its settlement somebody else got the flight: what no store took is not told.
func TestAnswerThatNobodyTookIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, newer := newWorld(lease/10), ask("frozen", "p"), service.Answer{CallID: "newer"}
		g, _ := w.gateway("gateway-1")
		time.AfterFunc(lease/20, func() {
			w.redis.seize(r.Key(), "heir", time.Hour)
			w.postgres.seize(r.Key(), "heir", time.Hour)
		})
		time.AfterFunc(lease, func() {
			w.redis.put(r.Key(), newer)
			w.postgres.put(r.Key(), newer)
		})
		result, err := g.Answer(t.Context(), r)
		if err != nil || result.Answer != newer || w.model.total() != 1 {
			t.Errorf("got %+v, %v after %d calls", result, err, w.model.total())
		}
	})
}

func TestAnswerIsBackfilledWhenItsSecondStoreReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			g, _ := w.gateway("gateway-1")
			work, stop := context.WithCancel(t.Context())
			go g.Backfill(work)
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

// settled counts what an authority is given.
type settled struct {
	service.Authority
	times atomic.Int64
}

func (c *settled) Settle(ctx context.Context, s service.Settlement) (service.Receipt, error) {
	receipt, err := c.Authority.Settle(ctx, s)
	if err == nil {
		c.times.Add(1)
	}
	return receipt, err
}

// Redis may come back empty. What was read from PostgreSQL meanwhile it gets without being asked for it, and once.
func TestAnswerThatWasReadInASilenceIsGivenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		first, second := ask("a", "first"), ask("b", "second")
		w.postgres.put(first.Key(), service.Answer{CallID: "c1"})
		w.postgres.put(second.Key(), service.Answer{CallID: "c2"})
		redis := &settled{Authority: w.redis}
		g, _ := w.gatewayWith("gateway-1", []service.Authority{redis, w.postgres})
		defer inBackground(g.Backfill)()
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

// A claim that a waiting replica asked for when PostgreSQL fell silent comes back with it, and nobody knows of it.
func TestBackfillOutlastsAHoldThatNobodyKnowsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		work, stop := context.WithCancel(t.Context())
		go g.Backfill(work)
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

// deaf is an authority that does not answer settlements of one key, so many times.
type deaf struct {
	service.Authority
	key   string
	times atomic.Int64
}

func (d *deaf) Settle(ctx context.Context, s service.Settlement) (service.Receipt, error) {
	if s.Key == d.key && d.times.Add(-1) >= 0 {
		return service.Receipt{}, errDown
	}
	return d.Authority.Settle(ctx, s)
}

// An answer that one authority missed for a moment does not wait for one that the other misses for long.
func TestBackfillOfOneStoreDoesNotWaitForTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		first, second := ask("a", "first"), ask("b", "second")
		redis, postgres := &deaf{Authority: w.redis, key: second.Key()}, &deaf{Authority: w.postgres, key: first.Key()}
		redis.times.Store(1)
		postgres.times.Store(1 << 40)
		g, _ := w.gatewayWith("gateway-1", []service.Authority{redis, postgres})
		work, stop := context.WithCancel(t.Context())
		go g.Backfill(work)
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

// What a silent authority holds for a flight that failed is given back when it answers again, so that others need not wait for
// the lease to end; and if nobody answered, what was never granted is given back without harm.
func TestWhatASilentAuthorityHoldsIsGivenBackLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			g, _ := w.gateway("gateway-1")
			work, stop := context.WithCancel(t.Context())
			go g.Backfill(work)
			silent := map[string]*store{"redis": w.redis, "postgres": w.postgres}[name]
			r := ask("a", "p")
			w.model.err = errDown
			time.AfterFunc(100*time.Millisecond, func() { silent.set(true) }) // while the call is under way
			if _, err := g.Answer(t.Context(), r); err == nil {
				t.Fatal("answered although the model failed")
			}
			if !silent.holds(r.Key()) {
				t.Fatalf("%s holds nothing, although nobody could give it back", name)
			}
			silent.set(false)
			time.Sleep(time.Second)
			if silent.holds(r.Key()) {
				t.Errorf("%s still holds the key of a flight that is over", name)
			}
			stop()
			synctest.Wait()
		}
	})
}

// A replica that waits for another's call may have been granted the flight by an authority that fell silent before it could say
// so. When it has the answer, that is given back: else whoever is cut off from the other authority waits for a lease, or worse,
// asks with the same token and calls.
func TestGrantOfASilentAuthorityIsGivenBackWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		r := ask("a", "p")
		w.redis.set(true)
		w.postgres.set(true)
		late := &slowly{Authority: w.postgres}
		late.silent.Store(1 << 40)
		g, _ := w.gatewayWith("gateway-1", []service.Authority{w.redis, late})
		work, stop := context.WithCancel(t.Context())
		go g.Backfill(work)
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

// slowly is an authority that does as it is asked when the asker has gone.
type slowly struct {
	service.Authority
	silent atomic.Int64 // acquisitions that it does not hear, before those
	asked  atomic.Value // token of the latest
}

func (s *slowly) token() string { return s.asked.Load().(string) }

// Up is what whoever asks before a call knows of it.
func (s *slowly) Up() bool { return false }

func (s *slowly) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	s.asked.Store(token)
	if s.silent.Add(-1) >= 0 {
		return service.Reply{}, errDown
	}
	<-ctx.Done() // the call is over
	time.AfterFunc(lease/10, func() { _, _ = s.Authority.Acquire(context.WithoutCancel(ctx), key, token, lease, hit) })
	return service.Reply{}, ctx.Err()
}

// A question that was under way when the call ended may be granted after all, when the hold is over.
func TestGrantThatCameAfterTheCallIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.model.err = errDown
		late := &slowly{Authority: w.postgres}
		late.silent.Store(1)
		g, _ := w.gatewayWith("gateway-1", []service.Authority{w.redis, late})
		work, stop := context.WithCancel(t.Context())
		go g.Backfill(work)
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

// An answer that waits for a silent authority is in the other one soon, where other replicas find it.
func TestSettlementDoesNotWaitForASilentAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(100 * time.Millisecond)
		g, ledger := w.gateway("gateway-1")
		r := ask("a", "p")
		time.AfterFunc(90*time.Millisecond, func() { w.postgres.set(true) })
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(100*time.Millisecond + storeBudget/2)
		if _, ok := w.redis.answer(r.Key()); !ok {
			t.Error("Redis does not have the answer while PostgreSQL is waited for")
		}
		if rs.sources[service.Call] != 0 {
			t.Error("told before it was known whether PostgreSQL has the answer")
		}
		w.postgres.set(false)
		rs.all.Wait()
		if err := ledger.Flush(t.Context()); err != nil || len(w.postgres.booked()) != 1 {
			t.Errorf("%d rows, %v", len(w.postgres.booked()), err)
		}
	})
}

func TestAnswersDieWithTheirLifetimeAndNotTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.Jitter = 0.1 })
		deaths := map[time.Time]bool{}
		for _, prompt := range []string{"a", "b", "c", "d"} {
			r := ask(prompt, prompt)
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			dies := w.redis.answers[r.Key()].dies
			if left := time.Until(dies); left > lifetime || left < lifetime*9/10 {
				t.Errorf("an answer lives %s", left)
			}
			if other := w.postgres.answers[r.Key()].dies; !other.Equal(dies) {
				t.Errorf("stores differ on its death: %s and %s", dies, other)
			}
			deaths[dies] = true
		}
		if len(deaths) < 2 {
			t.Error("all answers die together")
		}
	})
}

// slowLater is an authority that misses the first settlement of each key, and takes its time for the next.
type slowLater struct {
	service.Authority
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
	return s.Authority.Settle(ctx, with)
}

// What a short silence left comes at once; after a long one the authority has time for others.
func TestBackfillIsQuickWithFewAndGentleWithMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 50 * time.Millisecond
		for _, c := range []struct{ missed, least, most int }{{4, 4, 4}, {300, 18, 24}} { // half of a connection's time: 20 in 2 s
			w := newWorld(0)
			postgres := &slowLater{Authority: w.postgres, takes: takes, missed: map[string]bool{}}
			g, _ := w.gatewayWith("gateway-1", []service.Authority{w.redis, postgres})
			for i := range c.missed {
				if _, err := g.Answer(t.Context(), ask("a", strconv.Itoa(i))); err != nil {
					t.Fatal(err)
				}
			}
			work, stop := context.WithCancel(t.Context())
			began := time.Now()
			go g.Backfill(work)
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
