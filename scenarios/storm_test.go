package scenarios_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/scenarios"
)

// tierOf is the part of the stack that a fault is aimed at, by its name.
func tierOf(s fault.Step) string {
	for _, tier := range []string{"gateway", "redis", "postgres", "llm"} {
		if strings.Contains(s.Fault.Name, " "+tier) {
			return tier
		}
	}
	return ""
}

func overlap(a, b fault.Step) bool { return a.At < b.At+b.For && b.At < a.At+a.For }

// apart reports whether there are at least d between the ends of one and the beginnings of the other.
func apart(a, b fault.Step, d time.Duration) bool {
	return a.At+a.For+d <= b.At || b.At+b.For+d <= a.At
}

// TestStormPlans draws a thousand plans: each can be run, keeps apart what is not claimed together, and overlaps across tiers;
// together they reach every fault, and every two tiers at once.
func TestStormPlans(t *testing.T) {
	storm := scenarios.Storm()
	faults, pairs := map[string]bool{}, map[string]bool{}
	for seed := range uint64(1000) {
		drawn := storm.Drawn(seed)
		if err := drawn.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		overlaps := 0
		for i, a := range drawn.Faults {
			kind, _, _ := strings.Cut(a.Fault.Name, "-1") // whichever of several nodes
			faults[strings.TrimRight(kind, "-23")] = true
			if end := a.At + a.For; tierOf(a) == "" || a.At <= 0 || a.For <= 0 || end > 34*time.Second || end > drawn.Load.Duration() {
				t.Errorf("seed %d: %s of tier %q at %s for %s", seed, a.Fault.Name, tierOf(a), a.At, a.For)
			}
			for _, b := range drawn.Faults[i+1:] {
				if why := clash(a, b); why != "" {
					t.Errorf("seed %d: %s at %s for %s, %s at %s for %s: %s", seed, a.Fault.Name, a.At, a.For, b.Fault.Name, b.At, b.For, why)
				}
				if x, y := tierOf(a), tierOf(b); x != y && overlap(a, b) {
					overlaps++
					pairs[min(x, y)+" and "+max(x, y)] = true
				}
			}
		}
		if overlaps == 0 {
			t.Errorf("seed %d: nothing overlaps across tiers: %v", seed, planOf(drawn.Faults))
		}
	}
	for _, want := range []string{"kill redis-master", "pause redis-master", "kill redis", "latency redis-master", "kill postgres-primary",
		"crash postgres-primary", "switchover postgres-primary", "pause postgres-standby", "latency postgres-primary",
		"kill gateway", "term gateway", "pause gateway", "latency llm", "status-500 llm"} {
		if !faults[want] {
			t.Errorf("no seed draws %q", want)
		}
	}
	for _, want := range []string{"gateway and redis", "gateway and postgres", "gateway and llm", "llm and redis", "llm and postgres", "postgres and redis"} {
		if !pairs[want] {
			t.Errorf("no seed has %s at once", want)
		}
	}
}

// clash says why two faults of one plan must not lie where they do; empty if they may.
func clash(a, b fault.Step) string {
	x, y := tierOf(a), tierOf(b)
	if x > y {
		a, b, x, y = b, a, y, x
	}
	allOfRedis := strings.HasPrefix(a.Fault.Name, "kill redis-") && strings.HasPrefix(b.Fault.Name, "kill redis-") && a.At == b.At
	switch {
	case x == y && !allOfRedis && !apart(a, b, 3*time.Second):
		return "two of one tier"
	case x == "postgres" && y == "redis" && !apart(a, b, 6*time.Second):
		return whyNotBothStores(a, b)
	case x == "gateway" && (y == "redis" || y == "postgres") && a.Fault.Kind == evidence.FaultKill && max(a.At-b.At, b.At-a.At) < time.Second:
		return "a replica dies in the moments in which a store does"
	case x == "gateway" && a.Fault.Kind == evidence.FaultPause && a.For <= 5*time.Second:
		return "a pause that explains nothing"
	}
	return ""
}

// whyNotBothStores allows a Redis master to die while Postgres has been away for long and stays away for long.
func whyNotBothStores(postgres, redis fault.Step) string {
	const ttl = 20 * time.Second
	switch since := redis.At - postgres.At; {
	case postgres.Fault.Name != "kill postgres-primary" || redis.Fault.Name != "kill redis-master":
		return "both stores are away, or slow"
	case since < 5*time.Second || since > ttl-10*time.Second:
		return "the lease stores change within one flight"
	}
	return ""
}

func planOf(p fault.Plan) (lines []string) {
	for _, s := range p {
		lines = append(lines, fmt.Sprintf("%s %s %s", s.Fault.Name, s.At, s.For))
	}
	return lines
}

// TestStormIsDrawnFromTheSeed: the same seed, the same plan, in order of time; another seed, mostly another.
func TestStormIsDrawnFromTheSeed(t *testing.T) {
	storm, plans := scenarios.Storm(), map[string]bool{}
	for seed := range uint64(100) {
		one, other := storm.Drawn(seed).Faults, storm.Drawn(seed).Faults
		if !slices.Equal(planOf(one), planOf(other)) {
			t.Errorf("seed %d: %v and %v", seed, planOf(one), planOf(other))
		}
		if !slices.IsSortedFunc(one, func(a, b fault.Step) int { return cmp.Compare(a.At, b.At) }) {
			t.Errorf("seed %d: not in order: %v", seed, planOf(one))
		}
		plans[strings.Join(planOf(one), "\n")] = true
	}
	if len(plans) < 99 {
		t.Errorf("100 seeds drew %d plans", len(plans))
	}
}
