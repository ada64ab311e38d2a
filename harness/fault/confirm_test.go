package fault_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// seen is what observers saw of a run.
type seen struct {
	observations []evidence.Observation
	exits        []evidence.Exit
	samples      []evidence.Sample
	nodes        []evidence.Node
}

type signs = []func(*seen)

func runOf(all signs) *evidence.Run {
	var s seen
	for _, sign := range all {
		sign(&s)
	}
	return evidence.New(evidence.Plan{}, evidence.Observations.With(s.observations...), evidence.Exits.With(s.exits...),
		evidence.Samples.With(s.samples...), evidence.Nodes.With(s.nodes...))
}

// confirmCase is a confirmation and what was seen of a fault on store-1, ordered at 10 s, whose heal is at 20 s.
type confirmCase struct {
	name           string
	confirm        fault.Confirm
	signs          signs
	active, healed float64 // seconds
	missing        string  // empty if confirmed
}

func (c confirmCase) run(t *testing.T) {
	t.Helper()
	in := evidence.Injection{Fault: "x", Target: "store-1", Ordered: seconds(10), Healing: seconds(20)}
	got, err := c.confirm(runOf(c.signs), in)
	if (err == nil) != (c.missing == "") || err != nil && !strings.Contains(err.Error(), c.missing) {
		t.Errorf("missing %v; want %q", err, c.missing)
	}
	if got.Active != seconds(c.active) || got.Healed != seconds(c.healed) {
		t.Errorf("active %s, healed %s; want %v s, %v s", got.Active, got.Healed, c.active, c.healed)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func saw(at float64, source, node, what string) func(*seen) {
	return func(s *seen) {
		s.observations = append(s.observations, evidence.Observation{At: seconds(at), Source: source, Node: node, What: what})
	}
}

func ended(at float64, code int) func(*seen) {
	return func(s *seen) { s.exits = append(s.exits, evidence.Exit{Node: "store-1", At: seconds(at), Code: code}) }
}

func exited(at float64) func(*seen) { return ended(at, 137) }

// TestEnds: ends and pauses, as the engine and observers see them.
func TestEnds(t *testing.T) {
	node := fault.Node("store-1")
	term, kill, pause := fault.Term(node).Confirm, fault.Kill(node).Confirm, fault.Pause(node).Confirm
	starting := fault.TermStarting(node, time.Second).Confirm
	up := saw(21, "ready", "store-1", "up")
	for _, c := range []confirmCase{
		{"term, seen by its readiness", term, signs{saw(10.1, "ready", "store-1", "down"), ended(11, 0), saw(21, "ready", "store-1", "up")}, 10.1, 21, ""},
		{"term, exit seen first", term, signs{ended(10.1, 0), saw(10.3, evidence.SourceBalancer, "store-1", "down"), saw(21, evidence.SourceBalancer, "store-1", "up")}, 10.1, 21, ""},
		{"term, the balancer's up counts", term, signs{saw(10.1, "ready", "store-1", "down"), ended(11, 0), saw(20.5, "ready", "store-1", "up"), saw(21, evidence.SourceBalancer, "store-1", "up")}, 10.1, 21, ""},
		{"term, signs from before", term, signs{saw(9, "ready", "store-1", "down"), ended(9, 0), saw(21, "ready", "store-1", "up")}, 0, 0, "no exit of store-1"},
		{"term that hits nothing", term, nil, 0, 0, "no exit of store-1"},
		{"term ignored, killed in the end", term, signs{ended(22, 137), saw(22.1, "ready", "store-1", "down"), saw(24, "ready", "store-1", "up")}, 0, 0, "showed no sign of it"},
		{"term, drained but killed in the end", term, signs{saw(10.1, "ready", "store-1", "down"), ended(22, 137), saw(24, "ready", "store-1", "up")}, 10.1, 24, ""},
		{"term, late but by itself", term, signs{ended(22, 0), saw(24, "ready", "store-1", "up")}, 22, 24, ""},
		{"term, never up again", term, signs{ended(11, 0), saw(15, "ready", "store-1", "up")}, 11, 0, "no observer saw store-1 up again"},

		{"term while it starts", starting, signs{saw(8.1, "ready", "store-1", "down"), ended(9, 0), ended(11.5, 0), up}, 11.5, 21, ""},
		{"term while it starts, started before the order", starting, signs{ended(5, 0), saw(6, "ready", "store-1", "up"), ended(9, 0), ended(11.5, 0), up}, 11.5, 21, ""},
		{"term while it starts, of one that ran all the time", starting, signs{ended(11.5, 0), up}, 11.5, 0, "no end of store-1 before it"},
		{"term while it starts, ready before", starting, signs{ended(9, 0), saw(10.5, "ready", "store-1", "up"), saw(11, "ready", "store-1", "down"), ended(11.5, 0), up}, 11, 0, "ready had called store-1 up"},
		{"term while it starts, ready before the order", starting, signs{ended(9, 0), saw(9.5, "alive", "store-1", "up"), ended(11.5, 0), up}, 11.5, 0, "alive had called store-1 up"},
		{"term while it starts that hits nothing", starting, signs{ended(9, 0), up}, 0, 0, "no exit of store-1"},

		{"kill", kill, signs{ended(10.02, 137), saw(10.2, evidence.SourceBalancer, "store-1", "down"), saw(21, evidence.SourceBalancer, "store-1", "up")}, 10.02, 21, ""},
		{"kill that hits nothing", kill, signs{saw(21, evidence.SourceBalancer, "store-1", "up")}, 0, 0, "no exit of store-1 between"},
		{"kill, ended otherwise", kill, signs{ended(10.02, 1), saw(21, evidence.SourceBalancer, "store-1", "up")}, 0, 0, "code 1, not by SIGKILL"},
		{"kill, ended after the heal", kill, signs{ended(20.5, 137), saw(21, evidence.SourceBalancer, "store-1", "up")}, 0, 0, "no exit of store-1 between"},
		{"kill, never up again", kill, signs{ended(10.02, 137)}, 10.02, 0, "no observer saw store-1 up again"},

		{"pause", pause, signs{saw(10.5, "ready", "store-1", "down"), saw(20.1, "ready", "store-1", "up")}, 10.5, 20.1, ""},
		{"pause that hits nothing", pause, nil, 0, 0, "no observer saw store-1 go down"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLeads(t *testing.T) {
	lead, down, up := "leader", evidence.SawDown, evidence.SawUp
	led := fault.Target{Name: "leader", Was: fault.WasLast("roles", lead)}
	pause := fault.Pause(fault.Node("store-1")).Confirm
	both := fault.Both(fault.Crashed, fault.LeadLost("roles", lead))
	crashed := led.At("crash", nil, fault.Crashed).Confirm
	moved := led.At("move", nil, fault.LeadMoved("roles", lead)).Confirm
	leads := saw(1, "roles", "store-1", lead)
	for _, c := range []confirmCase{
		{"crash", crashed, signs{leads, saw(10.2, "alive", "store-1", down), saw(12, "other", "store-1", up), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"crash of nothing", crashed, signs{leads}, 0, 0, "no observer saw store-1 go down between"},
		{"crash, down only after the heal", crashed, signs{leads, saw(20.5, "alive", "store-1", down), saw(21, "alive", "store-1", up)}, 0, 0, "go down between"},
		{"crash, down before", crashed, signs{leads, saw(9, "alive", "store-1", down), saw(11, "alive", "store-1", up)}, 0, 0, "go down between"},
		{"crash, never up again", crashed, signs{leads, saw(10.2, "alive", "store-1", down), saw(12, "other", "store-1", up)}, 10.2, 0, "alive never called store-1 up"},
		{"crash of the whole node", crashed, signs{leads, saw(10.2, "alive", "store-1", down), exited(10.1), saw(13, "alive", "store-1", up)}, 10.2, 0, "exit of the whole of store-1"},
		{"crash, an exit later on", crashed, signs{leads, saw(10.2, "alive", "store-1", down), exited(15), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},

		{"crash and failover", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(11, "roles", "store-2", lead), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"failover later than the restart", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(11, "alive", "store-1", up), saw(12, "roles", "store-2", lead)}, 10.2, 12, ""},
		{"failover, the loss seen last", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(10.7, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"the loss seen last of all", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "alive", "store-1", up), saw(10.6, "roles", "store-2", lead), saw(10.7, "roles", "store-1", "stopped")}, 10.2, 10.7, ""},
		{"another leads, the loss never seen", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(13, "alive", "store-1", up)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"another leads for a moment only", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(10.8, "roles", "store-2", "replica"), saw(11, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"another led before", both, signs{saw(0.5, "roles", "store-2", lead), leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"crash, no failover", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(13, "alive", "store-1", up)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"crash, and the same one leads again", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "crashed"), saw(13, "alive", "store-1", up), saw(14, "roles", "store-1", lead)}, 10.2, 14, ""},
		{"crash, nobody leads again", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "crashed"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"crash of nothing, and a failover later on", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "alive", "store-1", up), saw(21, "roles", "store-1", "crashed"), saw(22, "roles", "store-2", lead)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"failover, no crash", both, signs{leads, saw(10.4, "roles", "store-1", "stopped"), saw(12, "roles", "store-2", lead)}, 0, 0, "go down between"},

		{"pause", pause, signs{saw(10.2, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.2, 20.2, ""},
		{"pause of a node that was slow just before", pause, signs{saw(10.1, "alive", "store-1", down), saw(10.2, "alive", "store-1", up), saw(10.4, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.4, 20.2, ""},
		{"pause, noticed by two", pause, signs{saw(10.6, "balancer", "store-1", down), saw(10.2, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.2, 20.2, ""},
		{"pause of nothing, and the node slow", pause, signs{saw(12, "alive", "store-1", down), saw(12.5, "alive", "store-1", up), saw(21, "alive", "store-1", up)}, 0, 0, "and stay down"},
		{"pause, down only after the heal", pause, signs{saw(20.5, "alive", "store-1", down), saw(21, "alive", "store-1", up)}, 0, 0, "and stay down"},

		{"meant for nobody known", crashed, signs{saw(10.2, "alive", "store-1", down), saw(13, "alive", "store-1", up)}, 0, 0, "roles had last said nothing, not leader"},
		{"meant for another", crashed, signs{saw(1, "roles", "store-2", lead), saw(2, "roles", "store-1", "replica"), saw(10.2, "alive", "store-1", down)}, 0, 0, "last said replica"},
		{"meant for a former leader", crashed, signs{leads, saw(5, "roles", "store-1", "replica"), saw(10.2, "alive", "store-1", down)}, 0, 0, "last said replica"},
		{"meant for a leader to be", crashed, signs{saw(11, "roles", "store-1", lead), saw(12, "alive", "store-1", down)}, 0, 0, "last said nothing"},

		{"switchover", moved, signs{leads, saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-2", lead)}, 10.4, 12, ""},
		{"switchover, seen down first", moved, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-2", lead)}, 10.2, 12, ""},
		{"switchover, the loss seen last", moved, signs{leads, saw(11, "roles", "store-2", lead), saw(11.2, "roles", "store-1", "replica")}, 11, 11.2, ""},
		{"switchover of nothing", moved, signs{leads}, 0, 0, "no other node than store-1 as leader"},
		{"switchover back to itself", moved, signs{leads, saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-1", lead)}, 0, 0, "no other node than store-1"},
		{"switchover of nothing, and a failover later on", moved, signs{leads, saw(21, "alive", "store-1", down), saw(22, "roles", "store-2", lead)}, 0, 0, "no other node than store-1"},
		{"two leaders", moved, signs{leads, saw(12, "roles", "store-2", lead)}, 12, 0, "nobody saw store-1 lose the lead"},
	} {
		t.Run(c.name, c.run)
	}
}

// with are the nodes of a run: store-1, which the fault hits, its peers store-2 and store-3, and watcher-1, all of them what
// replicas share but the watcher.
func with(r *seen) {
	for _, n := range []string{"store-1", "store-2", "store-3"} {
		r.nodes = append(r.nodes, evidence.Node{Name: n, Role: "store", Store: true})
	}
	r.nodes = append(r.nodes, evidence.Node{Name: "watcher-1", Role: "watcher"})
}

func lost(at float64, by string) func(*seen) {
	return saw(at, evidence.SourceReach(by), "store-1", evidence.SawLost)
}

func reached(at float64, by string) func(*seen) {
	return saw(at, evidence.SourceReach(by), "store-1", evidence.SawReached)
}

func TestPartitions(t *testing.T) {
	all, one := cutOff("store", "watcher-1"), cutOff("store-2")
	before := signs{with, reached(1, "store-2"), reached(1, "store-3"), reached(1, "watcher-1")}
	cut := slices.Clip(append(before, lost(10.2, "store-2"), lost(10.4, "store-3"), lost(10.3, "watcher-1")))
	healed := append(cut, reached(20.6, "store-2"), reached(20.1, "store-3"), reached(20.2, "watcher-1"))
	for _, c := range []confirmCase{
		{"cut", all, healed, 10.4, 20.6, ""},
		{"cut from one", one, healed, 10.2, 20.6, ""},
		{"cut of nothing", all, before, 0, 0, "store-2 did not see store-1 become lost"},
		{"cut from all but one", all, append(before, lost(10.2, "store-2"), lost(10.3, "watcher-1"), reached(20.6, "store-2"), reached(20.2, "watcher-1")), 0, 0, "store-3 did not see store-1 become lost"},
		{"cut that does not last", all, append(cut, reached(12, "watcher-1"), reached(20.6, "store-2"), reached(20.1, "store-3")), 0, 0, "watcher-1 did not see store-1 become lost between the order and the heal, and stay so"},
		{"cut, with a moment of doubt", one, append(before, lost(10.2, "store-2"), reached(10.4, "store-2"), lost(10.6, "store-2"), reached(20.2, "store-2")), 10.6, 20.2, ""},
		{"lost before the order", one, append(before, lost(9, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 did not see store-1 become lost"},
		{"lost after the heal", one, append(before, lost(20.1, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 did not see store-1 become lost"},
		{"another is lost", one, append(before, saw(10.2, evidence.SourceReach("store-2"), "store-3", evidence.SawLost)), 0, 0, "store-2 did not see store-1 become lost"},
		{"not healed", all, append(cut, reached(20.6, "store-2"), reached(20.1, "store-3")), 10.4, 0, "watcher-1 did not see store-1 become reached again"},
		{"from nobody", cutOff("none"), healed, 0, 0, "no node that store-1 was to be cut off from"},

		{"isolated", fault.Isolated, healed, 10.4, 20.6, ""},
		{"isolated, but the watcher reaches it", fault.Isolated, append(before, lost(10.2, "store-2"), lost(10.4, "store-3"), reached(20.6, "store-2"), reached(20.1, "store-3")), 10.4, 20.6, ""},
		{"not isolated from one store", fault.Isolated, append(before, lost(10.2, "store-2"), lost(10.3, "watcher-1"), reached(20.6, "store-2")), 0, 0, "store-3 did not see store-1 become lost"},
		{"isolated from nothing known", fault.Isolated, signs{lost(10.2, "store-2"), reached(20.6, "store-2")}, 0, 0, "no node"},

		{"lossy", lossy("store-2", "store-3"), append(before, lost(10.8, "store-2"), reached(11, "store-2"), lost(12, "store-2"), reached(13, "store-2"), lost(11.4, "store-3"), reached(11.6, "store-3"), lost(20.05, "store-3"), reached(20.4, "store-3")), 10.8, 20.4, ""},
		{"lossy, well again before the heal", lossy("store-2"), append(before, lost(10.8, "store-2"), reached(11, "store-2")), 10.8, 20, ""},
		{"lossy of nothing", lossy("store-2"), before, 0, 0, "store-2 never lost store-1"},
		{"lossy, all lost", lossy("store-2"), append(before, lost(10.8, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 lost store-1 altogether"},
		{"lossy, not healed", lossy("store-2"), append(before, lost(10.8, "store-2"), reached(11, "store-2"), lost(12, "store-2")), 0, 0, "store-2 has not reached store-1 again"},
		{"lossy to nobody", lossy("none"), healed, 0, 0, "no packets"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestResets(t *testing.T) {
	connect := func(what string) func(at float64, by string) func(*seen) {
		return func(at float64, by string) func(*seen) { return saw(at, evidence.SourceConnect(by), "store-1", what) }
	}
	refused, accepted, lost := connect(evidence.SawRefused), connect(evidence.SawReached), connect(evidence.SawLost)
	all, one := resetSeenBy("store", "watcher-1"), resetSeenBy("store-2")
	before := signs{with, accepted(1, "store-2"), accepted(1, "store-3"), accepted(1, "watcher-1")}
	reset := slices.Clip(append(before, refused(10.2, "store-2"), refused(10.4, "store-3"), refused(10.3, "watcher-1")))
	healed := slices.Clip(append(reset, accepted(20.6, "store-2"), accepted(20.1, "store-3"), accepted(20.2, "watcher-1")))
	for _, c := range []confirmCase{
		{"reset", all, healed, 10.4, 20.6, ""},
		{"reset, seen by one", one, healed, 10.2, 20.6, ""},
		{"lost at first", one, append(before, lost(10.1, "store-2"), refused(10.4, "store-2"), accepted(20.1, "store-2")), 10.4, 20.1, ""},
		{"ended before", all, append(healed, ended(5, 0)), 10.4, 20.6, ""},
		{"ended after the heal", all, append(healed, ended(25, 0)), 10.4, 20.6, ""},

		{"reset of nothing", all, before, 0, 0, "connect from store-2 did not see store-1 become refused"},
		{"a partition", one, append(before, lost(10.2, "store-2"), accepted(20.1, "store-2")), 0, 0, "did not see store-1 become refused"},
		{"refused at first, then lost", one, append(before, refused(10.2, "store-2"), lost(11, "store-2"), accepted(20.1, "store-2")), 0, 0, "and stay so"},
		{"accepted before the heal", one, append(before, refused(10.2, "store-2"), accepted(15, "store-2")), 0, 0, "and stay so"},
		{"by all but one", all, append(before, refused(10.2, "store-2"), refused(10.3, "watcher-1"), accepted(20.6, "store-2")), 0, 0, "connect from store-3 did not"},
		{"refused before the order", one, append(before, refused(9, "store-2"), accepted(20.1, "store-2")), 0, 0, "did not see store-1 become refused"},
		{"refused after the heal", one, append(before, refused(20.1, "store-2"), accepted(20.5, "store-2")), 0, 0, "did not see store-1 become refused"},
		{"a server that is gone", all, append(healed, ended(10.1, 0)), 0, 0, "store-1 ended before the heal"},
		{"not healed", all, append(reset, accepted(20.6, "store-2"), accepted(20.1, "store-3")), 10.4, 0, "connect from watcher-1 did not see store-1 become reached again"},

		{"unseen", one, signs{with}, 0, 0, "did not see store-1 become refused"},
		{"nobody looks", resetSeenBy(), healed, 0, 0, "no node looked"},
		{"only the target looks", resetSeenBy("store-1"), healed, 0, 0, "no node looked"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestCPUQuota(t *testing.T) {
	account := func(at float64, what string) func(*seen) {
		return saw(at, evidence.SourceThrottling, "store-1", what)
	}
	free, held := func(at float64) func(*seen) { return account(at, evidence.SawFree) }, func(at float64) func(*seen) { return account(at, evidence.SawThrottled) }
	for _, c := range []confirmCase{
		{"limited", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1), held(10.5), free(20.5)}, 10.5, 20.5, ""},
		{"limited, idle before the heal", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1), held(10.5), free(15)}, 10.5, 20, ""},
		{"limited, idle now and then", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1), held(10.5), free(15), held(16), free(20.5)}, 10.5, 20.5, ""},
		{"limit of nothing", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1)}, 0, 0, "did not keep store-1 from the CPU"},
		{"held after the heal only", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1), held(20.5), free(21)}, 0, 0, "did not keep store-1 from the CPU"},
		{"not healed", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, signs{free(1), held(10.5)}, 10.5, 0, "went on keeping store-1 from the CPU"},
		{"unseen", fault.CPUQuota(fault.Node("store-1"), 1).Confirm, nil, 0, 0, "did not keep"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLatency(t *testing.T) {
	slow := func(at float64) func(*seen) { return saw(at, "pace", "store-1", evidence.SawSlow) }
	prompt := func(at float64) func(*seen) { return saw(at, "pace", "store-1", evidence.SawPrompt) }
	slowed := slowedBy("pace")
	for _, c := range []confirmCase{
		{"slow", slowed, signs{prompt(1), slow(10.5), prompt(20.5)}, 10.5, 20.5, ""},
		{"slow, with a moment of doubt", slowed, signs{prompt(1), slow(10.5), prompt(11), slow(11.2), prompt(20.5)}, 11.2, 20.5, ""},
		{"slow of nothing", slowed, signs{prompt(1)}, 0, 0, "did not see store-1 become slow"},
		{"slow for a moment", slowed, signs{prompt(1), slow(10.5), prompt(11)}, 0, 0, "and stay so"},
		{"slow before", slowed, signs{slow(9), prompt(20.5)}, 0, 0, "did not see store-1 become slow"},
		{"not healed", slowed, signs{prompt(1), slow(10.5)}, 10.5, 0, "prompt again after the heal"},
		{"another source", slowedBy("other"), signs{slow(10.5), prompt(20.5)}, 0, 0, "other did not see"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestConfirmationsNeedAHeal(t *testing.T) {
	in := evidence.Injection{Fault: "x", Target: "store-1", Ordered: seconds(10)}
	run := runOf(signs{with, lost(10.2, "store-2"), lost(10.2, "store-3"), reached(12, "store-4"), exited(11), saw(12, "alive", "store-1", evidence.SawUp),
		saw(11, evidence.SourceThrottling, "store-1", evidence.SawThrottled), saw(12, evidence.SourceThrottling, "store-1", evidence.SawFree),
		saw(11, "pace", "store-1", evidence.SawSlow), saw(12, "pace", "store-2", evidence.SawPrompt)})
	node := fault.Node("store-1")
	for name, confirm := range map[string]fault.Confirm{"cut": cutOff("store-2"), "isolated": fault.Isolated, "lossy": lossy("store-2"),
		"limited": fault.CPUQuota(node, 1).Confirm, "slow": slowedBy("pace"), "killed": fault.Kill(node).Confirm, "ended": fault.Term(node).Confirm} {
		if got, err := confirm(run, in); err == nil {
			t.Errorf("%s is confirmed without a heal: %+v", name, got)
		}
	}
}

func cutOff(peers ...string) fault.Confirm {
	return fault.Partition(fault.Cut{Target: fault.Node("store-1"), Peers: peers}).Confirm
}

func lossy(peers ...string) fault.Confirm {
	return fault.PacketLoss(0.5, fault.Cut{Target: fault.Node("store-1"), Peers: peers}).Confirm
}

func resetSeenBy(witnesses ...string) fault.Confirm {
	return fault.Reset(fault.Resets{Target: fault.Node("store-1"), Peers: []string{"store", "watcher"}, Witnesses: witnesses}).Confirm
}

func slowedBy(source string) fault.Confirm {
	return fault.Latency(fault.Slowness{Target: fault.Node("store-1"), Probe: probe.Probe{Name: source}}).Confirm
}

// TestUpgradeIsConfirmed by all that must be seen, and not without one of it.
func TestUpgradeIsConfirmed(t *testing.T) {
	version := func(at float64, what string) func(*seen) { return saw(at, evidence.SourceVersion, "store-1", what) }
	build := func(at float64, what string) func(*seen) { return saw(at, evidence.SourceBuild, "store-1", what) }
	boot := func(at float64, id string) func(*seen) {
		return func(s *seen) {
			s.samples = append(s.samples, evidence.Sample{At: seconds(at), Node: "store-1", Boot: id})
		}
	}
	upgrade := fault.Upgrade(fault.Node("store-1"), fault.Replacement{Program: env.Program{Version: "next"}}).Confirm
	before := signs{version(1, "old"), build(1, "image-1"), boot(1, "a"), saw(22, "ready", "store-1", evidence.SawUp)}
	after := func(more ...func(*seen)) signs { return slices.Concat(before, more) }
	for _, c := range []confirmCase{
		{"all seen", upgrade, after(ended(11, 0), version(22, "next"), build(22, "image-2"), boot(22, "b")), 11, 22, ""},
		{"ended otherwise", upgrade, after(ended(11, 1), version(22, "next"), build(22, "image-2"), boot(22, "b")), 11, 0, "ended with code 1"},
		{"the same build", upgrade, after(ended(11, 0), version(22, "next"), build(22, "image-1"), boot(22, "b")), 11, 0, "from another build"},
		{"the engine was not asked", upgrade, after(ended(11, 0), version(22, "next"), boot(22, "b")), 11, 0, "from another build"},
		{"the same boot", upgrade, after(ended(11, 0), version(22, "next"), build(22, "image-2"), boot(22, "a")), 11, 0, "no other boot"},
		{"the old version", upgrade, after(ended(11, 0), version(22, "old"), build(22, "image-2"), boot(22, "b")), 11, 0, `is version "old", not "next"`},
		{"no version told", upgrade, after(ended(11, 0), build(22, "image-2"), boot(22, "b")), 11, 0, `is version ""`},
		{"never ended", upgrade, after(version(22, "next"), build(22, "image-2"), boot(22, "b")), 0, 0, "no exit"},
	} {
		t.Run(c.name, c.run)
	}
}

// TestFaultsBringTheirObservers: those that their confirmations need, and those of their target.
func TestFaultsBringTheirObservers(t *testing.T) {
	alive := probe.Probe{Name: "alive"}
	node := fault.Node("store-1", alive)
	cut := fault.Cut{Target: node, Peers: []string{"store", "watcher"}}
	for _, c := range []struct {
		fault fault.Fault
		want  []string
	}{
		{fault.Kill(node), []string{"alive"}},
		{fault.Pause(node), []string{"alive"}},
		{fault.Partition(cut), []string{"alive", "reach store-1 from store, watcher"}},
		{fault.PacketLoss(0.5, cut), []string{"alive", "reach store-1 from store, watcher"}},
		{fault.Reset(fault.Resets{Target: node, Peers: []string{"store", "app"}, Witnesses: []string{"store"}}), []string{"alive", "connect store-1 from store"}},
		{fault.CPUQuota(node, 1), []string{"alive", "throttling store-1"}},
		{fault.Latency(fault.Slowness{Target: node, Probe: probe.Probe{Name: "pace"}}), []string{"alive", "pace"}},
		{fault.Upgrade(node, fault.Replacement{Probe: probe.Probe{Name: "builds"}}), []string{"alive", "builds"}},
	} {
		var got []string
		for _, p := range c.fault.Observe {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.fault.Name, got, c.want)
		}
	}
}
