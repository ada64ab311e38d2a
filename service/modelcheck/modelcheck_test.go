package modelcheck

import (
	"strings"
	"testing"
)

// noHelp are the moves that a request must not need in order to be answered: faults, other requests, and what ends without
// an answer.
const noHelp = faulty | arrival | failure

func anywhere(*state) bool { return true }

// answerable returns nil if every request of the space is answered: when everything heals, and while a lease store that is lost
// stays lost.
func answerable(sp *space) *counterexample {
	if c := sp.stuck(noHelp, anywhere, quiet); c != nil {
		return c
	}
	return sp.stuck(noHelp|comeback, anywhere, quiet)
}

// prompt returns nil if no request must wait for a lease to end although there was no fault, or although its answer is stored.
func prompt(sp *space) *counterexample {
	return sp.stuck(noHelp|lease, func(s *state) bool { return s.faults == sp.m.faults || s.kept() }, quiet)
}

// examine explores the model and returns the first thing that is wrong with it.
func examine(m model) (*space, *counterexample) {
	sp, broken := explore(&m, true)
	if broken == nil {
		broken = answerable(sp)
	}
	return sp, broken
}

// TestWholeProtocol looks at every state of the protocol as it should be.
func TestWholeProtocol(t *testing.T) {
	plain := ablations{lookBeside: true, beside: true}
	for _, c := range []struct {
		name  string
		model model
		large bool
		least int // states, so that the model cannot shrink unnoticed
	}{
		{"no fault", model{gateways: 3, failures: 2, expiries: 1, deadlines: true}, false, 1_000},
		{"any one fault and a call that fails", model{gateways: 2, faults: 1, allowed: every, failures: 1}, false, 100_000},
		{"any one fault and a lifetime that passes", model{gateways: 2, faults: 1, allowed: every, expiries: 1}, false, 100_000},
		{"any one fault, deadlines, stray renewals", model{gateways: 2, faults: 1, allowed: every, deadlines: true, strays: true}, false, 200_000},
		{"any one fault, three gateways", model{gateways: 3, faults: 1, allowed: every}, false, 200_000},
		{"any one fault, three gateways, a call that fails", model{gateways: 3, faults: 1, allowed: every, failures: 1}, true, 1_000_000},
		{"any one fault and all that may go wrong beside it",
			model{gateways: 2, faults: 1, allowed: every, failures: 1, expiries: 1, deadlines: true}, true, 500_000},
		{"no Redis, and a gateway crashes or pauses",
			model{gateways: 3, faults: 1, allowed: crash | pause, failures: 1, expiries: 1, deadlines: true, away: only(redis)}, false, 100_000},
		{"no PostgreSQL, and a gateway crashes or pauses",
			model{gateways: 3, faults: 1, allowed: crash | pause, failures: 1, expiries: 1, deadlines: true, away: only(postgres)}, false, 100_000},
		{"a gateway crashes and a lease store is lost, in any order; nobody looks beside a refusal or stores in both at once",
			model{gateways: 2, faults: 2, allowed: crash | ofStore, failures: 1, without: plain}, false, 50_000},
		{"the same with three gateways", model{gateways: 3, faults: 2, allowed: crash | ofStore, without: plain}, true, 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.large && testing.Short() {
				t.Skip("millions of moves")
			}
			sp, broken := examine(c.model)
			if broken == nil && !c.model.without.lookBeside {
				broken = prompt(sp)
			}
			if broken != nil {
				t.Fatal(broken)
			}
			if len(sp.states) < c.least {
				t.Errorf("%d states, want at least %d", len(sp.states), c.least)
			}
			t.Logf("%d states, %d moves", len(sp.states), len(sp.edges))
		})
	}
}

// oneFault is where a step that is left out should show.
func oneFault(allowed faults) model { return model{gateways: 2, faults: 1, allowed: allowed} }

// TestAblations leaves out one step at a time, and expects the promise that this breaks.
func TestAblations(t *testing.T) {
	for _, c := range []struct {
		name    string
		without ablations
		model   model
		broken  string
	}{
		{"no WAIT, where Redis is the only lease store", ablations{wait: true},
			model{gateways: 2, faults: 1, allowed: loss, away: only(postgres), judged: twoCalls}, twoCalls},
		{"no second leaseStore, and Redis fails over", ablations{},
			model{gateways: 2, faults: 1, allowed: loss, away: only(postgres), judged: secondAnswer}, secondAnswer},
		{"no second leaseStore, and Redis comes back empty", ablations{},
			model{gateways: 2, faults: 1, allowed: ofStore, away: only(postgres), judged: twoCalls}, twoCalls},
		{"no renewal", ablations{renewal: true}, model{gateways: 2}, needless},
		{"no renewal, and no abort", ablations{renewal: true, abort: true}, model{gateways: 2}, twoCalls},
		{"no abort before the lease ends", ablations{abort: true}, oneFault(partition), twoCalls},
		{"no look for an answer with the lock", ablations{recheck: both}, model{gateways: 2}, secondAnswer},
		{"no look for an answer in Redis", ablations{recheck: only(redis)}, oneFault(loss), secondAnswer},
		{"no look for an answer in PostgreSQL", ablations{recheck: only(postgres)}, oneFault(loss), secondAnswer},
		{"token not compared at release", ablations{ownRelease: true}, oneFault(pause), twoCalls},
		{"token not compared at settlement", ablations{ownSettlement: true},
			model{gateways: 2, faults: 1, allowed: pause, judged: staleWrite}, staleWrite},
		{"no reply taken for a grant", ablations{noReplyAs: grant}, oneFault(partition), twoCalls},
		{"no reply taken for a refusal", ablations{noReplyAs: refusal}, oneFault(loss), unanswerable},
		{"told before it is stored", ablations{storeFirst: true}, model{gateways: 2}, storedNowhere},
		{"own claim not read back", ablations{readBack: true}, oneFault(partition), twoCalls},
		{"claims not taken over", ablations{takeover: true}, oneFault(crash), unanswerable},
		{"only one of two locks given back: answered when its lease ends", ablations{releaseOfBoth: true}, model{gateways: 2, failures: 1}, unanswerable},
		{"no look beside a refusal: answered when a lease ends", ablations{lookBeside: true}, oneFault(loss), unanswerable},
		{"not asked in the same order", ablations{order: true}, oneFault(pause), secondAnswer},
		{"no look at the lease before the call", ablations{lookBeforeCall: true}, oneFault(pause), twoCalls},
		{"lifetime counted from the settlement", ablations{ageFromCall: true}, model{gateways: 2, faults: 1, allowed: pause, expiries: 1}, deadWrite},
		{"told, and not stored, once the lease has ended", ablations{lateStore: true}, oneFault(pause), storedNowhere},
		{"told although others hold the flight", ablations{verdictOfStore: true}, oneFault(pause), storedNowhere},
		{"aborted when Redis refuses", ablations{secondOpinion: only(redis)}, oneFault(ofStore), needless},
		{"aborted when PostgreSQL refuses", ablations{secondOpinion: only(postgres)},
			model{gateways: 2, faults: 1, allowed: ofStore, failures: 1}, needless},
		{"not asked again after an abort", ablations{secondTry: true}, oneFault(pause), refusedInVain},
		{"own deadline taken for no reply", ablations{ownDeadline: true}, oneFault(partition), twoCalls},
		{"old outage believed", ablations{resetBoth: true}, oneFault(pause), secondAnswer},
		{"outage believed that ended in the same round", ablations{newRound: true}, oneFault(pause), secondAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.model.without = c.without
			sp, found := examine(c.model)
			if found == nil {
				found = prompt(sp)
			}
			if found == nil {
				t.Fatalf("nothing breaks in %d states; want: %s", len(sp.states), c.broken)
			}
			t.Log(found)
			if found.promise != c.broken {
				t.Errorf("want: %s", c.broken)
			}
		})
	}
}

// TestStepsInReserve leaves out steps without which no single fault breaks anything. They guard against a second one.
func TestStepsInReserve(t *testing.T) {
	for _, c := range []struct {
		name    string
		without ablations
	}{
		{"no WAIT: the claim in PostgreSQL holds", ablations{wait: true}},
		{"no yield: who keeps Redis's lock finds the answer in PostgreSQL", ablations{releasePartial: true}},
		{"no handoff: the other lease store has the answer", ablations{handoff: true}},
		{"no settlement in both at once: no answer is told before PostgreSQL has spoken", ablations{beside: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := oneFault(every)
			m.without = c.without
			if _, broken := examine(m); broken != nil {
				t.Fatal(broken)
			}
		})
	}
}

// TestLimits shows what the whole protocol does not promise: each needs a second fault while the first still tells.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		model  model
		broken string
	}{
		{"two faults in one flight leave each of two gateways with another lease store",
			model{gateways: 2, faults: 2, allowed: partition | loss}, twoCalls},
		{"Redis alone fails over: its locks were waited for, its answers were not",
			model{gateways: 2, faults: 1, allowed: loss, away: only(postgres), judged: secondAnswer}, secondAnswer},
		{"an answer read beside a dead gateway's lock is in one lease store only, and that is lost",
			model{gateways: 2, faults: 2, allowed: crash | loss, without: ablations{beside: true}}, secondAnswer},
		{"an answer that PostgreSQL takes its time to store is in Redis only when its holder crashes, and Redis is lost",
			model{gateways: 2, faults: 2, allowed: crash | loss, without: ablations{lookBeside: true}, judged: secondAnswer}, secondAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, broken := explore(&c.model, false)
			if broken == nil || broken.promise != c.broken {
				t.Fatalf("%v; want: %s", broken, c.broken)
			}
			t.Log(broken)
		})
	}
}

// TestEverythingHappens keeps the model from passing because it does too little.
func TestEverythingHappens(t *testing.T) {
	m := model{gateways: 2, faults: 1, allowed: every, failures: 1, strays: true}
	steps := map[step]bool{}
	sp, _ := explore(&m, false)
	for _, s := range sp.states {
		m.moves(s, func(v move) {
			v.step.who = min(v.step.who, 0)
			steps[v.step] = true
		})
	}
	seen := map[string]bool{}
	for s := range steps {
		seen[strings.TrimPrefix(s.String(), "gateway-1 ")] = true
	}
	for _, want := range []string{
		"asks Redis: granted", "asks Redis: refused", "asks Redis: no reply", "asks Redis: has the answer",
		"asks PostgreSQL: granted", "asks PostgreSQL: refused", "asks PostgreSQL: no reply", "asks PostgreSQL: has the answer",
		"yields Redis: done", "yields Redis: no reply", "hands the answer to Redis: done", "hands the answer to Redis: refused",
		"calls the upstream", "finds its lease ended, and does not call", "sees its call fail", "gets its answer",
		"gets its answer, with a renewal on its way to PostgreSQL: no reply", "finds the answer to its call",
		"renews Redis: granted", "renews Redis: refused", "renews PostgreSQL: granted",
		"aborts its call", "gives up Redis: done", "gives up PostgreSQL: no reply",
		"stores its answer in PostgreSQL: done", "stores its answer in PostgreSQL: refused", "stores its answer in Redis: no reply",
		"stores its answer in Redis: refused",
		"stores its answer, while PostgreSQL takes its time, in Redis: done", "stores its answer slowly in PostgreSQL: no reply",
		"stores its answer slowly in PostgreSQL: done", "stores its answer slowly in PostgreSQL: refused", "holds the flight again, with its answer", "answers its client",
		"brings the answer late to Redis: done", "brings the answer late to PostgreSQL: done", "has its row booked",
		"crashes", "pauses", "resumes", "resumes, and takes both lease stores for unavailable", "is cut off from both lease stores",
		"is connected again", "hears again from Redis", "reaches the end of its lease", "loses by time its lock in PostgreSQL",
		"is answered, and does not see it", "is late heard asking by PostgreSQL: granted", "is late heard releasingPartial by Redis: done",
		"Redis becomes unavailable", "Redis is back as it was", "Redis is back after a failover", "Redis is back with nothing",
		"Redis brings its replica up to date", "PostgreSQL loses its standby and stalls", "PostgreSQL is back after a failover",
		"PostgreSQL late hears from a flight that is over", "Redis ends the lease of a flight that is over",
	} {
		if !seen[want] {
			t.Errorf("never seen: %s", want)
		}
	}
}
