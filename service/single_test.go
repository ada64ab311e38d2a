package service_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sentinel-chaos/sentinel/service"
)

// step is one event of a generated history: after a while, a request reaches a replica, or a store goes or comes.
type step struct {
	after   time.Duration
	replica int
	prompt  int
	fault   string
}

func steps() *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			after:   time.Duration(rapid.IntRange(0, 800).Draw(t, "after_ms")) * time.Millisecond,
			replica: rapid.IntRange(0, 2).Draw(t, "replica"),
			prompt:  rapid.IntRange(0, 1).Draw(t, "prompt"),
			fault:   rapid.SampledFrom([]string{"", "", "", "redis away", "postgres away", "all back"}).Draw(t, "fault"),
		}
	}), 1, 60)
}

// Whatever the order of requests and of outages of one store at a time, no two calls for a key overlap, no key is called
// for again while its answer lives, and everybody is answered.
func TestOneCallPerKeyThroughOutagesOfOneStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := steps().Draw(rt, "history")
		latency := time.Duration(rapid.IntRange(1, 3000).Draw(rt, "latency_ms")) * time.Millisecond
		var violations []string
		synctest.Test(t, func(t *testing.T) { violations = play(t.Context(), history, latency) })
		for _, v := range violations {
			rt.Error(v)
		}
	})
}

func play(ctx context.Context, history []step, latency time.Duration) (violations []string) {
	w := newWorld(latency)
	work, stop := context.WithCancel(ctx)
	defer stop()
	var gateways [3]*service.Gateway
	for i := range gateways {
		gateways[i], _ = w.gateway(fmt.Sprint("gateway-", i), func(s *service.Settings) { s.RequestTimeout = time.Minute })
		go gateways[i].RunHandoff(work)
	}
	var rs results
	began := time.Now()
	for i, s := range history {
		time.Sleep(s.after)
		w.fail(s.fault)
		rs.ask(ctx, gateways[s.replica], ask(fmt.Sprint("r", i), fmt.Sprint("prompt ", s.prompt)))
	}
	rs.all.Wait()
	stop()
	if w.model.overlaps > 0 {
		violations = append(violations, fmt.Sprintf("%d overlapping calls", w.model.overlaps))
	}
	for key, n := range w.model.calls {
		if longest := time.Since(began)/ttl + 1; n > int(longest) {
			violations = append(violations, fmt.Sprintf("%d calls for %s within %s", n, key[:6], time.Since(began)))
		}
	}
	for _, err := range rs.errs {
		violations = append(violations, err.Error())
	}
	return violations
}

// makeUp is the time between two outages: what was under way to the store that was away takes as long to end, and only then does it get what
// it missed.
const makeUp = storeBudget

// fail lets one store be away at a time.
func (w *world) fail(fault string) {
	if fault == "" {
		return
	}
	w.redis.set(false)
	w.postgres.set(false)
	if fault == "all back" {
		return
	}
	time.Sleep(makeUp)
	w.redis.set(fault == "redis away")
	w.postgres.set(fault == "postgres away")
}
