package check_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// A shield is a right circuit breaker: it opens after some failures in a row, stays open for a time that counts from the start of the
// attempt that opened it, and then lets two probes through, of which two successes close it and a failure opens it again.
const (
	shieldAfter  = 5
	shieldOpen   = 5 * time.Second
	shieldProbes = 2
)

type shield struct {
	failures, successes int
	half                bool
	probes              int
	generation          int
	until               time.Duration
}

// asks reports whether an attempt may begin, or for how long it may not.
func (s *shield) asks(now time.Duration) (wait time.Duration, ok bool) {
	switch {
	case now < s.until:
		return s.until - now, false
	case s.half && s.probes == shieldProbes:
		return 0, false // the probes under way decide
	case s.half:
		s.probes++
	}
	return 0, true
}

func (s *shield) ended(began time.Duration, generation int, failed bool) {
	switch {
	case generation != s.generation:
	case failed:
		if s.failures++; s.half || s.failures >= shieldAfter {
			s.until, s.half, s.failures, s.successes, s.probes = began+shieldOpen, true, 0, 0, 0
			s.generation++
		}
	default:
		s.failures = 0
		if s.half {
			s.probes--
			if s.successes++; s.successes == shieldProbes {
				s.half = false
				s.generation++
			}
		}
	}
}

// attempt is one that is under way.
type attempt struct {
	place      int
	began, end time.Duration
	generation int
	failed     bool
}

// shieldedRun has one replica with a shield answer requests while what it depends on fails now and then. advise turns the time that a
// shield knows of into advice. Everything between client, replica and dependency takes up to late.
func shieldedRun(t *rapid.T, late time.Duration, advise func(time.Duration) time.Duration) *history {
	delay := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(late)).Draw(t, "delay"))
	})
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamRetryAfter: shieldOpen}}, clocks: agreeing(seconds(100))}
	broken := evidence.Span{From: seconds(12), To: seconds(float64(rapid.IntRange(14, 24).Draw(t, "heal")))}
	fails := time.Duration(rapid.SampledFrom([]int64{int64(50 * time.Millisecond), int64(2 * time.Second)}).Draw(t, "fails after"))
	gap := rapid.Int64Range(int64(60*time.Millisecond), int64(600*time.Millisecond)).Draw(t, "gap")
	s, under := &shield{}, []attempt{}
	land := func(now time.Duration) {
		slices.SortFunc(under, func(a, b attempt) int { return cmp.Compare(a.end, b.end) })
		for len(under) > 0 && under[0].end <= now {
			a := under[0]
			under = under[1:]
			s.ended(a.began, a.generation, a.failed)
			q, how := &h.requests[a.place], workDone
			q.End = a.end + delay.Draw(t, "delay")
			if a.failed {
				refuse(q, time.Second)
				q.End, how = a.end+delay.Draw(t, "delay"), workFailed
			}
			from := min(a.end, a.began+delay.Draw(t, "delay"))
			h.worked("app-1", how, from, a.end-from)
		}
	}
	now := seconds(10)
	for due := now; due < broken.To+seconds(12); due += time.Duration(rapid.Int64Range(gap/2, gap).Draw(t, "gap")) {
		now = max(now, due+delay.Draw(t, "delay"))
		land(now)
		i := len(h.requests)
		h.requests = append(h.requests, evidence.Request{Seq: uint64(i), Stage: "app-1", User: "ann", Key: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key"),
			Class: slow, Due: due, Sent: due, Status: 200, Outcome: evidence.OK})
		if wait, ok := s.asks(now); !ok {
			refuse(&h.requests[i], max(time.Second, (advise(wait)+time.Second-1).Truncate(time.Second)))
			h.requests[i].End = now + delay.Draw(t, "delay")
			continue
		}
		a := attempt{place: i, began: now, end: now + 300*time.Millisecond, generation: s.generation}
		if broken.Holds(now) {
			a.end, a.failed = now+fails, true
		}
		under = append(under, a)
	}
	land(evidence.Forever)
	return h
}

// TestRightAdviceIsNotBlamed: whatever the load, the fault and the delays on the way, a shield that says for how long it is up passes.
func TestRightAdviceIsNotBlamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := shieldedRun(t, 100*time.Millisecond, func(wait time.Duration) time.Duration { return wait })
		if v := check.RetryAfterHonest(seeing()).Judge(h.run()); v.Status != check.Pass {
			t.Fatalf("%s: %s: requests %v", v.Status, v.Reason, v.Requests)
		}
	})
}

// TestWrongAdviceIsBlamed: a shield that always advises the same is found out in most runs.
func TestWrongAdviceIsBlamed(t *testing.T) {
	const runs, most = 20, 15
	for name, advice := range map[string]time.Duration{"a second": time.Second, "the whole time": shieldOpen} {
		drawn := rapid.Custom(func(t *rapid.T) *history {
			return shieldedRun(t, 20*time.Millisecond, func(time.Duration) time.Duration { return advice })
		})
		blamed := 0
		for i := range runs {
			if check.RetryAfterHonest(seeing()).Judge(drawn.Example(i).run()).Status == check.Fail {
				blamed++
			}
		}
		if blamed < most {
			t.Errorf("always %s: %d of %d runs fail, and %d are wanted", name, blamed, runs, most)
		}
	}
}
