package service_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// pause runs a call whose holder notices nothing until its lease is long over; meanwhile happens before the call ends.
func pause(t *testing.T, w *world, r service.Request, meanwhile func()) (service.Result, *service.Ledger) {
	w.model.deaf = true
	resumed, ledger := w.gateway("gateway-1")
	var result service.Result
	var asked sync.WaitGroup
	w.redis.set(true) // a paused process renews nothing; that its stores are away looks the same to it
	asked.Go(func() {
		var err error
		if result, err = resumed.Answer(t.Context(), r); err != nil {
			t.Errorf("the paused replica's client got %v", err)
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

func TestResumedHolderOverwritesNothingAndBooksItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, newer := newWorld(4*lease), ask("paused", "p"), service.Answer{CallID: "newer"}
		result, ledger := pause(t, w, r, func() {
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

// An attempt to store the answer came through, and its reply was lost: whoever made the call finds their own answer, and is charged.
func TestHolderThatFindsItsOwnAnswerIsCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(4*lease), ask("cut off", "p")
		result, ledger := pause(t, w, r, func() {
			own := service.Answer{CallID: "call-" + r.Key()[:6] + "-1", Token: w.postgres.holder(r.Key()), Text: "stored", Cost: 7}
			w.redis.put(r.Key(), own)
			w.postgres.put(r.Key(), own)
		})
		if result.Source != service.Call || result.Cost != 7 {
			t.Errorf("its client got %+v", result)
		}
		if err := ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if booked := w.postgres.booked(); len(booked) != 1 || booked[0].Kind != service.RowCall || booked[0].Cost != 7 {
			t.Errorf("booked %+v", booked)
		}
	})
}

// Nobody else asked while the holder was paused: the answer that was paid for serves the next request too.
func TestResumedHolderStoresItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(4*lease), ask("paused", "p")
		asked := time.Now()
		result, _ := pause(t, w, r, func() {})
		for name, s := range map[string]*store{"redis": w.redis, "postgres": w.postgres} {
			if got, ok := s.answer(r.Key()); !ok || got != result.Answer {
				t.Errorf("%s has %+v", name, got)
			}
		}
		if result.Source != service.Call || result.Cost != 7 {
			t.Errorf("its client got %+v", result)
		}
		if expiresAt, most := w.postgres.answers[r.Key()].expiresAt, asked.Add(lease+storeBudget+ttl); expiresAt.After(most) {
			t.Errorf("its TTL counts from when it is resumed: it expires %s too late", expiresAt.Sub(most))
		}
	})
}

// Somebody else is calling when the holder is resumed: it waits for that answer, which is the one that will be stored.
func TestResumedHolderWaitsForItsHeir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, newer := newWorld(4*lease), ask("paused", "p"), service.Answer{CallID: "newer"}
		result, _ := pause(t, w, r, func() {
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
		w, r, newer := newWorld(lease/10), ask("paused", "p"), service.Answer{CallID: "newer"}
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

// An answer that waits for an unavailable lease store is in the other one soon, where other replicas find it.
func TestCommitDoesNotWaitForAnUnavailableLeaseStore(t *testing.T) {
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

func TestAnswersExpireWithinTheirTTLAndNotTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.Jitter = 0.1 })
		moments := map[time.Time]bool{}
		for _, prompt := range []string{"a", "b", "c", "d"} {
			r := ask(prompt, prompt)
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			expiresAt := w.redis.answers[r.Key()].expiresAt
			if left := time.Until(expiresAt); left > ttl || left < ttl*9/10 {
				t.Errorf("an answer lives %s", left)
			}
			if other := w.postgres.answers[r.Key()].expiresAt; !other.Equal(expiresAt) {
				t.Errorf("stores differ on its expiry: %s and %s", expiresAt, other)
			}
			moments[expiresAt] = true
		}
		if len(moments) < 2 {
			t.Error("all answers die together")
		}
	})
}

// An answer that one lease store will never take is given all the same, at once, and that lease store is not asked again.
func TestAnswerThatOneStoreNeverTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(300*time.Millisecond), ask("a", "p")
		w.model.name = poison
		g, ledger := w.gateway("gateway-1")
		work, stop := context.WithCancel(t.Context())
		var working sync.WaitGroup
		working.Go(func() { g.RunHandoff(work) })
		asked := time.Now()
		result, err := g.Answer(t.Context(), r)
		if err != nil || result.Source != service.Call || time.Since(asked) != 300*time.Millisecond {
			t.Errorf("got %+v, %v after %s", result, err, time.Since(asked))
		}
		time.Sleep(lease)
		stop()
		working.Wait()
		if got, ok := w.redis.answer(r.Key()); !ok || got != result.Answer || w.postgres.refusals != 1 {
			t.Errorf("redis has %+v, postgres was asked %d times", got, w.postgres.refusals)
		}
		if err := ledger.Flush(t.Context()); err != nil || ledger.SetAside() != 1 {
			t.Errorf("%v, %d rows set aside", err, ledger.SetAside())
		}
	})
}

// broken is a lease store whose adapter panics when it settles.
type broken struct{ *store }

func (broken) Settle(context.Context, service.Settlement) (service.Receipt, error) { panic("defect") }

// A settlement that panics is told of, and costs the answer no more than a lease store that does not reply.
func TestPanicOfASettlementIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(lease/10), ask("a", "p")
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, broken{w.postgres}})
		result, err := g.Answer(t.Context(), r)
		if err != nil || result.Source != service.Call || w.tally.panics.Load() != 1 {
			t.Errorf("got %+v, %v, %d panics counted", result, err, w.tally.panics.Load())
		}
	})
}
