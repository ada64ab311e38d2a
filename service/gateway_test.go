package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// results collects what many concurrent requests got.
type results struct {
	mu      sync.Mutex
	sources map[service.Source]int
	errs    []error
	all     sync.WaitGroup
}

func (rs *results) ask(ctx context.Context, g *service.Gateway, r service.Request) {
	rs.all.Go(func() {
		result, err := g.Answer(ctx, r)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		if err != nil {
			rs.errs = append(rs.errs, err)
			return
		}
		if rs.sources == nil {
			rs.sources = map[service.Source]int{}
		}
		rs.sources[result.Source]++
	})
}

func TestHerdOverReplicasCallsOncePerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		gateways := make([]*service.Gateway, 3)
		for i := range gateways {
			gateways[i], _ = w.gateway(fmt.Sprint("gateway-", i))
		}
		var rs results
		for i := range 90 {
			rs.ask(t.Context(), gateways[i%3], ask(fmt.Sprint("r", i), fmt.Sprint("prompt ", i%2)))
		}
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 2 {
			t.Fatalf("%d calls for 2 keys, errors %v", w.model.total(), rs.errs)
		}
		for i, g := range gateways {
			if most := g.ActiveFlights().HighWater(); most > 2 {
				t.Errorf("gateway %d: %d flights for 2 keys", i, most)
			}
		}
		if rs.sources[service.Call] != 2 || rs.sources[service.Shared] != 88 {
			t.Errorf("sources %v, want 2 calls and 88 shared", rs.sources)
		}
		result, err := gateways[0].Answer(t.Context(), ask("later", "prompt 0"))
		if err != nil || result.Source != service.Hit || result.Cost != 0 {
			t.Errorf("afterwards got %+v, %v; want a hit that costs nothing", result, err)
		}
	})
}

// The time for which a flight waited is not had again for the call.
func TestCallLearnsTheRequestsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(300*time.Millisecond), ask("r", "p")
		w.redis.seize(r.Key(), "somebody", 3*time.Second)
		g, _ := w.gateway("gateway-1")
		asked := time.Now()
		if _, err := g.Answer(t.Context(), r); err != nil || !w.model.until.Equal(asked.Add(requestTimeout)) {
			t.Errorf("got %v; the deadline is %s after the request", err, w.model.until.Sub(asked))
		}
	})
}

// What two lease stores say decides whether the upstream may be called.
func TestLeaseStores(t *testing.T) {
	const held, down, free = "held", "down", "free"
	tests := []struct {
		redis, postgres string
		calls           int
		source          service.Source
		reason          string
	}{
		{free, free, 1, service.Call, ""},
		{free, down, 1, service.Call, ""},
		{down, free, 1, service.Call, ""},
		{down, down, 0, "", service.ReasonNoAuthority},
		{held, free, 0, "", service.ReasonDeadline},
		{free, held, 0, "", service.ReasonDeadline},
		{held, down, 0, "", service.ReasonDeadline},
		{down, held, 0, "", service.ReasonDeadline},
	}
	for _, test := range tests {
		t.Run(test.redis+" and "+test.postgres, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(300 * time.Millisecond)
				r := ask("r", "p")
				for s, state := range map[*store]string{w.redis: test.redis, w.postgres: test.postgres} {
					s.set(state == down)
					if state == held {
						s.seize(r.Key(), "somebody", time.Hour)
					}
				}
				g, _ := w.gateway("gateway-1")
				result, err := g.Answer(t.Context(), r)
				var u *service.Unavailable
				if errors.As(err, &u) && u.RetryAfter <= 0 {
					t.Errorf("refused without advice when to come again: %v", err)
				}
				if got := reason(err); w.model.total() != test.calls || result.Source != test.source || got != test.reason {
					t.Errorf("%d calls, source %q, reason %q", w.model.total(), result.Source, got)
				}
				for _, s := range []*store{w.redis, w.postgres} {
					if token := s.holder(r.Key()); token != "" && token != "somebody" {
						t.Errorf("a lease was left behind")
					}
				}
			})
		})
	}
}

// Whoever is refused by one lease store does not meanwhile keep the other from the one who may be granted both.
func TestRefusedFlightHoldsNothingWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(300*time.Millisecond), ask("a", "p")
		w.postgres.seize(r.Key(), "somebody", time.Hour)
		g, _ := w.gateway("gateway-1")
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(time.Second)
		synctest.Wait()
		if token := w.redis.holder(r.Key()); token != "" {
			t.Error("it holds the lock")
		}
		rs.all.Wait()
	})
}

// A lease store that did not answer before the flight's own time was up may have granted the key to somebody else.
func TestNoCallWithoutHearingTheSecondLeaseStoreOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.postgres.set(true)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = storeBudget / 2 })
		if _, err := g.Answer(t.Context(), ask("a", "p")); reason(err) != service.ReasonNoAuthority || w.model.total() != 0 {
			t.Errorf("%d calls, got %v", w.model.total(), err)
		}
		if token := w.redis.holder(ask("a", "p").Key()); token != "" {
			t.Error("the lock was kept")
		}
	})
}

// The lease that the first lease store granted ends while the second one is heard out.
func TestNoCallOnALeaseThatEndedWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.postgres.set(true)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.Lease = storeBudget })
		var rs results
		rs.ask(t.Context(), g, ask("a", "p"))
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := w.model.total(); calls != 0 {
			t.Errorf("%d calls", calls)
		}
		w.postgres.set(false)
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 1 {
			t.Errorf("%d calls, errors %v", w.model.total(), rs.errs)
		}
	})
}

func reason(err error) string {
	var u *service.Unavailable
	if errors.As(err, &u) {
		return u.Reason
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestCancelledLeaderDoesNotFailItsFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(time.Second)
		g, _ := w.gateway("gateway-1")
		impatient, hangUp := context.WithCancel(t.Context())
		var leader, followers results
		leader.ask(impatient, g, ask("leader", "p"))
		synctest.Wait()
		for i := range 5 {
			followers.ask(t.Context(), g, ask(fmt.Sprint("f", i), "p"))
		}
		synctest.Wait()
		hangUp()
		leader.all.Wait()
		followers.all.Wait()
		if len(leader.errs) != 1 || len(followers.errs) != 0 || w.model.total() != 1 {
			t.Errorf("leader %v, followers %v, %d calls", leader.errs, followers.errs, w.model.total())
		}
	})
}

func TestWaitersTimeOutOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2 * time.Second)
		g, _ := w.gateway("gateway-1")
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var hasty, calm results
		calm.ask(t.Context(), g, ask("calm", "p"))
		hasty.ask(short, g, ask("hasty", "p"))
		hasty.all.Wait()
		calm.all.Wait()
		if len(hasty.errs) != 1 || reason(hasty.errs[0]) != service.ReasonDeadline || len(calm.errs) != 0 {
			t.Errorf("hasty %v, calm %v", hasty.errs, calm.errs)
		}
	})
}

// Somebody brought the answer between this request's miss and its lock.
func TestCacheIsLookedAtAgainUnderTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, only := range []string{"redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			first, _ := w.gateway("gateway-1")
			second, _ := w.gateway("gateway-2")
			if only == "redis" {
				w.postgres.set(true)
			} else {
				w.redis.set(true)
			}
			var rs results
			rs.ask(t.Context(), first, ask("a", "p"))
			rs.ask(t.Context(), second, ask("b", "p"))
			rs.all.Wait()
			if w.model.total() != 1 || len(rs.errs) > 0 {
				t.Errorf("with %s alone: %d calls, %v", only, w.model.total(), rs.errs)
			}
		}
	})
}

func TestAnswerLostByTheCacheIsFoundInItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		r := ask("a", "p")
		if _, err := g.Answer(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		delete(w.redis.answers, r.Key())
		for i, want := range []service.Source{service.Stored, service.Hit} {
			r.ID = fmt.Sprint("again", i)
			if result, err := g.Answer(t.Context(), r); err != nil || result.Source != want {
				t.Errorf("got %q, %v; want %q", result.Source, err, want)
			}
		}
		if w.model.total() != 1 {
			t.Errorf("%d calls", w.model.total())
		}
	})
}

// A replica died after its answer had reached its claim, and left its lock behind.
func TestOrphanedLockDoesNotHideTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		r := ask("a", "p")
		w.redis.seize(r.Key(), "dead", lease)
		w.postgres.put(r.Key(), service.Answer{CallID: "c"})
		asked := time.Now()
		result, err := g.Answer(t.Context(), r)
		if err != nil || result.Source != service.Stored || time.Since(asked) > time.Second {
			t.Errorf("got %q, %v after %s", result.Source, err, time.Since(asked))
		}
	})
}

func TestOrphanedFlightIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		r := ask("a", "p")
		w.redis.seize(r.Key(), "dead", lease)
		w.postgres.seize(r.Key(), "dead", lease)
		asked := time.Now()
		result, err := g.Answer(t.Context(), r)
		if took := time.Since(asked); err != nil || result.Source != service.Call || took < lease || took > lease+time.Second {
			t.Errorf("got %q, %v after %s", result.Source, err, took)
		}
	})
}

func TestStaleAnswerStandsInForAFailingUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := &service.Unavailable{Reason: service.ReasonUpstream, RetryAfter: time.Second}
		for _, staleFor := range []time.Duration{0, time.Minute} {
			w := newWorld(300 * time.Millisecond)
			g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.StaleFor = staleFor })
			if _, err := g.Answer(t.Context(), ask("a", "p")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(ttl + time.Second)
			w.model.err = failure
			result, err := g.Answer(t.Context(), ask("b", "p"))
			if staleFor == 0 && !errors.Is(err, failure) || staleFor > 0 && (err != nil || result.Source != service.Stale) {
				t.Errorf("stale for %s: got %q, %v", staleFor, result.Source, err)
			}
		}
	})
}

func TestFailedCallGivesItsFlightBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := &service.Unavailable{Reason: service.ReasonUpstream, RetryAfter: time.Second}
		w := newWorld(300 * time.Millisecond)
		g, _ := w.gateway("gateway-1")
		w.model.err = failure
		if _, err := g.Answer(t.Context(), ask("a", "p")); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		w.model.err = nil
		asked := time.Now()
		if _, err := g.Answer(t.Context(), ask("b", "p")); err != nil || time.Since(asked) > time.Second {
			t.Errorf("got %v after %s", err, time.Since(asked))
		}
	})
}

func TestPanicInTheUpstreamFailsItsRequestsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.model.panics = true
		g, _ := w.gateway("gateway-1")
		if _, err := g.Answer(t.Context(), ask("a", "p")); err == nil {
			t.Error("no error")
		}
		if now, panics := g.ActiveFlights().Now(), w.tally.panics.Load(); now != 0 || panics != 1 {
			t.Errorf("%d flights under way, %d panics counted", now, panics)
		}
	})
}

func TestFullLedgerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		g, ledger := w.gateway("gateway-1")
		for i := range 1000 {
			ledger.Keep(service.Entry{Row: service.Row{RequestID: fmt.Sprint(i)}})
		}
		if _, err := g.Answer(t.Context(), ask("a", "p")); reason(err) != service.ReasonLedgerFull {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitEndsWhenFlightsHaveLanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(time.Second)
		g, _ := w.gateway("gateway-1")
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		var rs results
		rs.ask(gone, g, ask("a", "p"))
		rs.all.Wait()
		if err := g.Wait(t.Context(), toAbort); err != nil {
			t.Error(err)
		}
		if _, ok := w.postgres.answer(ask("a", "p").Key()); !ok {
			t.Error("the flight nobody waited for did not land")
		}
	})
}

// A flight that is aborted, since its grace is over, has kept the row of what was billed when the wait for it ends.
func TestAbortedFlightKeepsItsRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(time.Second)
		g, ledger := w.gateway("gateway-1")
		var rs results
		rs.ask(t.Context(), g, ask("a", "p"))
		time.Sleep(500 * time.Millisecond) // the call is under way
		w.redis.set(true)
		w.postgres.set(true)
		grace, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := g.Wait(grace, toAbort); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if n := ledger.Pending(); n != 1 {
			t.Errorf("%d rows are kept of a call that was billed", n)
		}
		rs.all.Wait()
		time.Sleep(time.Second) // what the row was tried with ends
	})
}

// Flights that are aborted are waited for no longer than they may take, and whoever shared one does not begin another.
func TestNoFlightBeginsWhenAllAreAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.redis.set(true)
		w.postgres.set(true)
		g, _ := w.gateway("gateway-1")
		var rs results
		for i := range 5 {
			rs.ask(t.Context(), g, ask(fmt.Sprint(i), "p"))
		}
		time.Sleep(2 * storeBudget) // each has looked for an answer in vain
		began := time.Now()
		const grace, short = time.Second, storeBudget / 2
		waiting, cancel := context.WithTimeout(t.Context(), grace)
		defer cancel()
		if err := g.Wait(waiting, short); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != grace+short {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		rs.all.Wait()
		if took := time.Since(began); len(rs.errs) != 5 || took > grace+2*storeBudget { // one flight, which releases its lease in both stores
			t.Errorf("%d of 5 requests were refused, the last after %s", len(rs.errs), took)
		}
	})
}

// A call that was billed and brought no answer is booked, and leaves no lease behind.
func TestBilledFailureIsBooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(300*time.Millisecond), ask("a", "p")
		w.model.err = &service.Unavailable{Reason: service.ReasonUpstream}
		w.model.billed = service.Answer{CallID: "c", Cost: 9}
		g, ledger := w.gateway("gateway-1")
		if _, err := g.Answer(t.Context(), r); reason(err) != service.ReasonUpstream {
			t.Errorf("got %v", err)
		}
		if err := ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		booked := w.postgres.booked()
		if len(booked) != 1 || booked[0].Kind != service.RowCall || booked[0].CallID != "c" || booked[0].Cost != 9 || booked[0].RequestID != "a" {
			t.Errorf("booked %+v", booked)
		}
		if _, stored := w.redis.answer(r.Key()); stored || w.redis.holds(r.Key()) || w.postgres.holds(r.Key()) {
			t.Error("something is kept of it")
		}
	})
}

// A client that gives one id to all of its requests hides none of them: each is counted by the gateway's own name.
func TestRequestsOfOneIDAreCountedEach(t *testing.T) {
	for name, trouble := range map[string]func(*world){"both stores": func(*world) {}, "no cache": func(w *world) { w.redis.set(true) }, "no database": func(w *world) { w.postgres.set(true) }} {
		synctest.Test(t, func(t *testing.T) {
			const requests = 100
			w := newWorld(300 * time.Millisecond)
			trouble(w)
			g, ledger := w.gateway("gateway-1")
			var all sync.WaitGroup
			for i := range requests {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					if _, err := g.Answer(t.Context(), ask("r", "p")); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			w.postgres.set(false)
			if err := ledger.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			booked, calls := w.postgres.booked(), 0
			for _, row := range booked {
				if row.RequestID != "r" {
					t.Errorf("%s: row of request %q", name, row.RequestID)
				}
				if row.Kind == service.RowCall {
					calls++
				}
			}
			if len(booked) != requests || calls != 1 {
				t.Errorf("%s: %d rows, %d of calls, for %d requests", name, len(booked), calls, requests)
			}
		})
	}
}

// Whatever clients and the upstream call their requests and calls, each call is one row, and so is each hit of another request.
func TestNamesThatRepeatHideNoRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(300 * time.Millisecond)
		w.model.name = "c"
		g, ledger := w.gateway("gateway-1")
		other := ask("r", "p")
		other.Tenant = "globex"
		for _, r := range []service.Request{ask("r", "p"), other, ask("r", "q")} {
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(ttl) // until the answers have expired
		for _, r := range []service.Request{ask("r", "p"), ask("r", "p")} {
			if _, err := g.Answer(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		calls := map[string]int64{}
		booked := w.postgres.booked()
		for _, row := range booked {
			calls[row.Tenant] += row.Cost
		}
		if len(booked) != 5 || calls["acme"] != 3*7 || calls["globex"] != 7 {
			t.Errorf("booked %+v", booked)
		}
	})
}

// Clients that leave at once have no more calls made than there may be flights. Who comes on top of that is refused, and hits are not.
func TestFlightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		w := newWorld(1500 * time.Millisecond)
		w.redis.put(ask("a", "stored").Key(), service.Answer{CallID: "c"})
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.MaxFlights = most })
		overloaded := 0
		for i := range 300 {
			ctx, leave := context.WithTimeout(t.Context(), 15*time.Millisecond)
			if _, err := g.Answer(ctx, ask(fmt.Sprint("r", i), fmt.Sprint("p", i))); reason(err) == service.ReasonOverloaded {
				overloaded++
				time.Sleep(15 * time.Millisecond)
			}
			leave()
			if _, err := g.Answer(t.Context(), ask(fmt.Sprint("h", i), "stored")); err != nil {
				t.Errorf("a hit got %v", err)
			}
		}
		if high := g.ActiveFlights().HighWater(); high != most || overloaded == 0 {
			t.Errorf("%d flights at a time, %d refused", high, overloaded)
		}
		if err := g.Wait(t.Context(), toAbort); err != nil {
			t.Error(err)
		}
	})
}
