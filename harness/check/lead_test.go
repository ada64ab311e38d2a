package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// led is an observation of who leads in which term.
func led(at float64, node, term string) func(*evidence.Records) {
	return func(r *evidence.Records) {
		r.Observations = append(r.Observations, evidence.Observation{At: seconds(at), Source: "roles", Node: node, What: "leader", Detail: term})
	}
}

// leadCase is what was seen of leaders, and what a check must make of it.
type leadCase struct {
	name   string
	check  check.Check
	signs  []func(*evidence.Records)
	want   check.Status
	reason string
}

// leadCases: the fault, a freeze of store-1 if nothing else is said, is ordered at 10 s and its heal at 20 s, and is active from
// 10.2 s to 20.2 s; the run ends at 40 s.
func leadCases() []leadCase {
	down, up := saw(10.2, "alive", "store-1", evidence.SawDown), saw(20.2, "alive", "store-1", evidence.SawUp)
	etcdDown, etcdUp := saw(10.2, "alive", "etcd-1", evidence.SawDown), saw(20.2, "alive", "etcd-1", evidence.SawUp)
	stepped := func(at float64) func(*evidence.Records) { return saw(at, "roles", "store-1", "replica") }
	first, second := led(1, "store-1", "term 1"), led(15, "store-2", "term 2")
	brain := check.NoSplitBrain("roles", "leader", 5*time.Second)
	steps := check.StepsDown("freeze etcd-1", check.Frozen, "roles", "leader", 5*time.Second)
	again := check.LeadsAgain("freeze etcd-1", check.Frozen, "roles", "leader", 5*time.Second)
	return []leadCase{
		{"one leader", brain, []func(*evidence.Records){first}, check.Pass, "for 0 ms"},
		{"handed over", brain, []func(*evidence.Records){first, stepped(11), second}, check.Pass, "for 0 ms"},
		{"frozen, replaced, back and demoted", brain, []func(*evidence.Records){first, down, second, up, led(20.2, "store-1", "term 1"), stepped(22.2)}, check.Pass, "for 2000 ms"},
		{"back and not demoted in time", brain, []func(*evidence.Records){first, down, second, up, led(20.2, "store-1", "term 1"), stepped(25.3)}, check.Fail, "for 5100 ms"},
		{"back and never demoted", brain, []func(*evidence.Records){first, down, second, up, led(20.2, "store-1", "term 1")}, check.Fail, "for 19800 ms"},
		{"two in one term", brain, []func(*evidence.Records){first, stepped(11), second, led(15.1, "store-3", "term 2"), saw(15.2, "roles", "store-3", "replica")}, check.Fail, "store-2 and store-3 were both leader in term 2"},
		{"a dead leader leads nobody", brain, []func(*evidence.Records){first, down, led(15, "store-2", "term 1")}, check.Pass, ""},
		{"nobody seen", brain, []func(*evidence.Records){stepped(11)}, check.Unknown, "never saw a node that is leader"},

		{"steps down", steps, []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp}, check.Pass, "4000 ms after"},
		{"its server is down", steps, []func(*evidence.Records){first, etcdDown, saw(13, "alive", "store-1", evidence.SawDown), etcdUp}, check.Pass, ""},
		{"steps down late", steps, []func(*evidence.Records){first, etcdDown, stepped(15.3), etcdUp}, check.Fail, "still leader 5100 ms after"},
		{"does not", steps, []func(*evidence.Records){first, etcdDown, etcdUp}, check.Fail, "still leader 9800 ms after"},
		{"another takes its place", steps, []func(*evidence.Records){first, etcdDown, stepped(12), second, etcdUp}, check.Fail, "still leader"},
		{"nobody led", steps, []func(*evidence.Records){etcdDown, stepped(12), etcdUp}, check.Unknown, "saw no node that was leader before"},
		{"not certified", steps, []func(*evidence.Records){first, stepped(12)}, check.Unknown, "not certified"},
		{"too short", check.StepsDown("freeze etcd-1", check.Frozen, "roles", "leader", time.Minute), []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp}, check.Unknown, "before anybody had to"},

		{"leads again", again, []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp, led(23.2, "store-1", "term 2")}, check.Pass, "3000 ms after"},
		{"led on", again, []func(*evidence.Records){first, etcdDown, etcdUp}, check.Pass, "0 ms after"},
		{"leads again late", again, []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp, led(26.2, "store-1", "term 2")}, check.Fail, "only 6000 ms after"},
		{"leads again and stops", again, []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp, led(23.2, "store-1", "term 2"), stepped(24)}, check.Fail, "when the run ended"},
		{"never", again, []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp}, check.Fail, "when the run ended"},
		{"nobody ever led", again, []func(*evidence.Records){etcdDown, etcdUp}, check.Unknown, "never saw"},
		{"the run ended too soon", check.LeadsAgain("freeze etcd-1", check.Frozen, "roles", "leader", time.Minute), []func(*evidence.Records){first, etcdDown, stepped(14.2), etcdUp}, check.Unknown, "too soon"},
		{"not certified", again, []func(*evidence.Records){first}, check.Unknown, "not certified"},
	}
}

func (c leadCase) run() *evidence.Run {
	r := evidence.Records{
		Injections: []evidence.Injection{{Fault: "freeze etcd-1", Target: "etcd-1", Ordered: seconds(10), Healing: seconds(20)}},
		Windows:    []evidence.Window{{Name: evidence.PhaseQuiesce, From: seconds(35), To: seconds(40)}},
	}
	for _, sign := range c.signs {
		sign(&r)
	}
	return evidence.New(evidence.Plan{}, r)
}

func TestLead(t *testing.T) {
	for _, c := range leadCases() {
		t.Run(c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
}
