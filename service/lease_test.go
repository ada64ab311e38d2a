package service_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
)

func TestLeaseIsRenewedWhileACallLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(4 * lease)
		first, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = 10 * lease })
		second, _ := w.gateway("gateway-2", func(s *service.Settings) { s.RequestTimeout = 10 * lease })
		var rs results
		rs.ask(t.Context(), first, ask("a", "p"))
		rs.ask(t.Context(), second, ask("b", "p"))
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 1 {
			t.Errorf("%d calls, %v", w.model.total(), rs.errs)
		}
	})
}

func TestOneLeaseStoreIsEnoughToRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, away := range []string{"redis", "postgres"} {
			w := newWorld(3 * lease)
			first, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = 10 * lease })
			second, _ := w.gateway("gateway-2", func(s *service.Settings) { s.RequestTimeout = 10 * lease })
			var rs results
			rs.ask(t.Context(), first, ask("a", "p"))
			time.Sleep(time.Second)
			map[string]*store{"redis": w.redis, "postgres": w.postgres}[away].set(true)
			rs.ask(t.Context(), second, ask("b", "p"))
			rs.all.Wait()
			if len(rs.errs) > 0 || w.model.total() != 1 {
				t.Errorf("without %s: %d calls, %v", away, w.model.total(), rs.errs)
			}
		}
	})
}

// A renewal in vain, and what is granted after it, shortly before the lease would have ended.
func TestCallGoesOnWhenALeaseStoreIsBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const short = 1700 * time.Millisecond // a third of it, two outages and a third are more than the call may go on for
		w := newWorld(2 * short)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.Lease = short })
		var rs results
		rs.ask(t.Context(), g, ask("a", "p"))
		time.Sleep(300 * time.Millisecond)
		w.redis.set(true)
		w.postgres.set(true)
		time.Sleep(900 * time.Millisecond)
		w.redis.set(false)
		w.postgres.set(false)
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 1 {
			t.Errorf("%d calls, errors %v", w.model.total(), rs.errs)
		}
	})
}

func TestCallIsAbortedBeforeAnUnrenewedLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(4 * lease)
		g, _ := w.gateway("gateway-1")
		asked := time.Now()
		var rs results
		rs.ask(t.Context(), g, ask("a", "p"))
		time.Sleep(time.Second)
		w.redis.set(true)
		w.postgres.set(true)
		rs.all.Wait()
		if len(w.model.ends) != 1 || !w.model.ends[0].aborted || !w.model.ends[0].at.Before(asked.Add(lease)) {
			t.Errorf("the call ended as %+v", w.model.ends)
		}
	})
}

func TestCallIsAbortedWhenSomebodyElseHoldsTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(4 * lease)
		g, _ := w.gateway("gateway-1")
		r := ask("a", "p")
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(time.Second)
		w.redis.seize(r.Key(), "other", 2*time.Second)
		w.postgres.seize(r.Key(), "other", 2*time.Second)
		rs.all.Wait() // the flight asks again once the other's lease has ended
		if len(w.model.ends) != 2 || !w.model.ends[0].aborted || w.model.ends[1].aborted {
			t.Errorf("the calls ended as %+v", w.model.ends)
		}
		if len(rs.errs) > 0 || rs.sources[service.Call] != 1 {
			t.Errorf("sources %v, errors %v", rs.sources, rs.errs)
		}
	})
}

// A replica that asks while the first lease store has forgotten the holder takes its lock for the moment until the second one
// refuses it.
func TestPassingLockDoesNotEndACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2 * lease)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = 4 * lease })
		r := ask("a", "p")
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(time.Second)
		w.redis.seize(r.Key(), "passing", lease/2)
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 1 || w.redis.holder(r.Key()) != "" {
			t.Errorf("%d calls, errors %v", w.model.total(), rs.errs)
		}
	})
}

// A claim that somebody left behind while PostgreSQL was away comes back with it.
func TestClaimLeftBehindDoesNotEndACallThatTheLockCovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2 * lease)
		g, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = 4 * lease })
		r := ask("a", "p")
		w.postgres.seize(r.Key(), "left behind", lease)
		w.postgres.set(true)
		var rs results
		rs.ask(t.Context(), g, r)
		time.Sleep(time.Second)
		w.postgres.set(false)
		rs.all.Wait()
		if len(rs.errs) > 0 || w.model.total() != 1 {
			t.Errorf("%d calls, errors %v", w.model.total(), rs.errs)
		}
	})
}

// A lone lease store keeps others out only of those who can reach it. So the other one learns of the call as soon as it answers
// again, before the first becomes unavailable in its turn.
func TestLeaseStoreThatIsBackLearnsOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, order := range [][]string{{"redis", "postgres"}, {"postgres", "redis"}} {
			w := newWorld(450 * time.Millisecond)
			first, _ := w.gateway("gateway-1", func(s *service.Settings) { s.RequestTimeout = 4 * lease })
			second, _ := w.gateway("gateway-2", func(s *service.Settings) { s.RequestTimeout = 4 * lease })
			stores := map[string]*store{"redis": w.redis, "postgres": w.postgres}
			unavailable, lone := stores[order[0]], stores[order[1]]
			unavailable.set(true)
			var rs results
			rs.ask(t.Context(), first, ask("a", "p"))
			for w.model.total() == 0 {
				time.Sleep(time.Millisecond)
			}
			unavailable.set(false)
			time.Sleep(storeBudget + 30*time.Millisecond) // the question that was under way, and the next
			lone.set(true)
			rs.ask(t.Context(), second, ask("b", "p"))
			rs.all.Wait()
			if len(rs.errs) > 0 || w.model.total() != 1 {
				t.Errorf("%s was unavailable first: %d calls, errors %v", order[0], w.model.total(), rs.errs)
			}
		}
	})
}

// A lease store that comes back just when the other one goes knows nothing of the calls that began meanwhile. Its grant counts once their
// replicas had the time to bring it that, and then it counts alone.
func TestLeaseStoreThatHasJustComeBackIsNotBelievedAlone(t *testing.T) {
	for _, order := range []string{"redis", "postgres"} {
		t.Run(order, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const call, restored = 600 * time.Millisecond, time.Second
				w := newWorld(call)
				work, stop := context.WithCancel(t.Context())
				defer stop()
				patient := func(s *service.Settings) { s.RequestTimeout = 4 * lease }
				first, _ := w.gateway("gateway-1", patient)
				second, _ := w.gateway("gateway-2", patient)
				go first.RunHandoff(work)
				returns, leaves := w.redis, w.postgres
				if order == "postgres" {
					returns, leaves = leaves, returns
				}
				returns.set(true)
				var rs results
				rs.ask(t.Context(), first, ask("a", "p"))
				for w.model.total() == 0 {
					time.Sleep(time.Millisecond)
				}
				returns.set(false)
				leaves.set(true)
				back := time.Now()
				rs.ask(t.Context(), second, ask("b", "p"))
				rs.all.Wait()
				if len(rs.errs) > 0 || w.model.total() != 1 {
					t.Errorf("%d calls, errors %v; want the first replica's alone", w.model.total(), rs.errs)
				}
				time.Sleep(time.Until(back.Add(restored)))
				asked := time.Now()
				if _, err := second.Answer(t.Context(), ask("c", "another")); err != nil || w.model.total() != 2 {
					t.Errorf("%d calls, %v; want another one for another key", w.model.total(), err)
				}
				if took := time.Since(asked); took > call+4*storeBudget {
					t.Errorf("a lease store that has been back for a second was not believed for %s", took-call)
				}
			})
		})
	}
}

// back is a lease store that was known to be unavailable when it was first asked, and answers again a moment later.
type back struct {
	service.LeaseStore
	asked bool
	heard func()
}

func (b *back) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	if !b.asked {
		b.asked = true
		b.heard()
		return service.Reply{}, errDown
	}
	return b.LeaseStore.Acquire(ctx, key, token, lease, hit)
}

// One lease store's outage may end while the other one is asked. The other one's grant is then not enough: it may have missed
// the answer.
func TestOutageThatEndsInTheSameRoundIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		r := ask("a", "p")
		redis := &back{LeaseStore: w.redis, heard: func() { w.redis.put(r.Key(), service.Answer{CallID: "other"}) }}
		g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{redis, w.postgres})
		result, err := g.Answer(t.Context(), r)
		if err != nil || result.CallID != "other" || w.model.total() != 0 {
			t.Errorf("%+v, %v, %d calls; want the answer that Redis has", result, err, w.model.total())
		}
		if w.postgres.holds(r.Key()) {
			t.Error("what PostgreSQL granted was not released")
		}
	})
}

// late is a lease store that replies to others, and to its asker not within the budget. It does what it was asked when it should.
type late struct {
	*store
	acquires int  // grants that are late, from now
	settles  bool // whether receipts are late
}

func (l *late) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	if l.acquires > 0 {
		l.acquires--
		return service.Reply{}, l.spend(ctx)
	}
	return l.store.Acquire(ctx, key, token, lease, hit)
}

func (l *late) Settle(ctx context.Context, s service.Settlement) (service.Receipt, error) {
	if l.settles {
		return service.Receipt{}, l.spend(ctx)
	}
	return l.store.Settle(ctx, s)
}

func (l *late) spend(ctx context.Context) error {
	_ = dependency.Sleep(ctx, storeBudget)
	return dependency.ErrLate
}

// A flight that a lease store did not grant in time asks again, since another replica may have the grant. It goes on without a receipt.
func TestLateLeaseStore(t *testing.T) {
	const call, poll = 300 * time.Millisecond, 20 * time.Millisecond
	for _, test := range []struct {
		name string
		late *late
		want time.Duration // and as many pauses of at most two polls as grants are late
	}{
		{"its grant is late", &late{acquires: 1}, storeBudget + call},
		{"its grant is late twice", &late{acquires: 2}, 2*storeBudget + call},
		{"its receipt is late", &late{settles: true}, call + storeBudget},
		{"both are late", &late{acquires: 1, settles: true}, storeBudget + call + storeBudget},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(call)
				test.late.store = w.postgres
				grants := test.late.acquires
				g, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, test.late})
				asked := time.Now()
				result, err := g.Answer(t.Context(), ask("a", "p"))
				took, least, pauses := time.Since(asked), test.want, 2*poll*time.Duration(grants)
				if err != nil || result.Source != service.Call || took < least || took > least+pauses {
					t.Errorf("%+v, %v after %s; want a call's answer after %s to %s", result, err, took, least, least+pauses)
				}
			})
		})
	}
}

// Two replicas, each of which one lease store is late for, hold the flight by the other one: neither may call by that alone.
func TestLateLeaseStoresDoNotLetTwoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const call = 300 * time.Millisecond
		w := newWorld(call)
		first, _ := w.gatewayWith("gateway-1", []service.LeaseStore{w.redis, &late{store: w.postgres, acquires: 1}})
		second, _ := w.gatewayWith("gateway-2", []service.LeaseStore{w.postgres, &late{store: w.redis, acquires: 1}})
		var both sync.WaitGroup
		for _, g := range []*service.Gateway{first, second} {
			both.Go(func() {
				if _, err := g.Answer(t.Context(), ask("a", "p")); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if calls := w.model.total(); calls != 1 {
			t.Errorf("%d calls for one key", calls)
		}
	})
}
