package check_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// A history is what a correct service leaves behind: three replicas behind a load balancer answer requests of two classes, and
// every observer writes down what it would see.

const (
	loadFrom   = 10 * time.Second
	quick      = "quick"
	slow       = "slow"
	quickTakes = 4 * time.Millisecond
	slowTakes  = 300 * time.Millisecond
	victim     = "app-2"
	gauge      = "active_requests"
	highWater  = "_high_water"
	boot1      = "boot-1"
	boot2      = "boot-2"
)

// ask is one request of the plan.
type ask struct {
	due       time.Duration // from the start of the load
	user, key string
	class     string
	replica   int // 1 to 3
}

// trouble is the fault in a history.
type trouble struct {
	kind string        // empty for none
	at   time.Duration // from the start of the load
	heal time.Duration
}

type history struct {
	plan         evidence.Plan
	requests     []evidence.Request
	warmup       []evidence.Request // that were not ok
	samples      []evidence.Sample
	exits        []evidence.Exit
	injections   []evidence.Injection
	observations []evidence.Observation
	windows      []evidence.Window
	nodes        []evidence.Node
	defects      []evidence.LogDefect
	leaks        []evidence.Leak
	clocks       []evidence.Clock
	accounts     []evidence.Account
	uses         []evidence.CPUUse
	faults       []check.Fault
	classify     check.Classifier

	served  []served
	trouble trouble
}

// served is a replica's work on a request.
type served struct {
	node     string
	from, to time.Duration
}

// simulate serves the load.
func simulate(asks []ask, tr trouble) *history {
	slices.SortStableFunc(asks, func(a, b ask) int { return cmp.Compare(a.due, b.due) })
	h := &history{trouble: tr}
	h.plan = evidence.Plan{Format: evidence.Format, Scenario: "simulated", Load: []evidence.Stage{{Name: "steady", Requests: uint64(len(asks))}},
		Params: map[string]time.Duration{evidence.ParamGrace: 10 * time.Second, evidence.ParamRetryAfter: 5 * time.Second}}
	for i, a := range asks {
		due := loadFrom + a.due
		h.requests = append(h.requests, evidence.Request{Seq: uint64(i), ID: fmt.Sprintf("1-%d", i), Stage: "steady", Class: a.class, User: a.user,
			Key: a.key, Due: due, Sent: due + time.Millisecond, End: h.serve(a, due+2*time.Millisecond), Conns: 1, Status: 200, Outcome: evidence.OK})
	}
	h.disturb()
	h.observe()
	return h
}

// serve answers one request that a replica gets at that moment, and returns when the client has the answer. A request that a kill
// hits is answered by another replica.
func (h *history) serve(a ask, at time.Duration) time.Duration {
	takes := quickTakes
	if a.class == slow {
		takes = slowTakes
	}
	name := h.nodeAt(a.replica, at)
	if killed := loadFrom + h.trouble.at; h.trouble.kind == evidence.FaultKill && name == victim && at <= killed && killed < at+takes {
		name, at = node(1), killed+120*time.Millisecond
	}
	h.served = append(h.served, served{name, at, at + takes})
	return at + takes + 2*time.Millisecond
}

func node(replica int) string { return fmt.Sprintf("app-%d", replica) }

// nodeAt is the replica that gets a request: another one while the victim is away.
func (h *history) nodeAt(replica int, at time.Duration) string {
	away := h.trouble.kind != "" && at > loadFrom+h.trouble.at && at < loadFrom+h.trouble.heal+time.Second
	if node(replica) == victim && away {
		return node(3)
	}
	return node(replica)
}

// disturb writes the records of the fault, which is confirmed.
func (h *history) disturb() {
	if h.trouble.kind == "" {
		return
	}
	ordered, healing := loadFrom+h.trouble.at, loadFrom+h.trouble.heal
	down, up := ordered+120*time.Millisecond, healing+700*time.Millisecond
	active := down
	switch h.trouble.kind {
	case evidence.FaultTerm:
		h.exits = []evidence.Exit{{Node: victim, At: ordered + 900*time.Millisecond}}
	case evidence.FaultKill:
		active = ordered + 20*time.Millisecond
		h.exits = []evidence.Exit{{Node: victim, At: active, Code: 137}}
	}
	h.saw(down, evidence.SourceBalancer, victim, evidence.SawDown)
	h.saw(up, evidence.SourceBalancer, victim, evidence.SawUp)
	h.inject(h.trouble.kind, victim, ordered, active, healing, up)
}

// inject adds a confirmed fault.
func (h *history) inject(kind, target string, ordered, active, healing, healed time.Duration) {
	name := kind + " " + target
	h.injections = append(h.injections, evidence.Injection{Fault: name, Kind: kind, Target: target, Ordered: ordered, Healing: healing})
	h.faults = append(h.faults, check.Fault{Name: name, Kind: kind, Target: target, Ordered: ordered, Active: active, Healing: healing, Healed: healed,
		Confirmed: true})
}

// unconfirmed leaves the first fault without proof.
func unconfirmed(h *history) { h.faults[0].Confirmed, h.faults[0].Missing = false, "nobody saw it" }

func undoFailed(h *history) {
	unconfirmed(h)
	h.injections[0].Undo = "engine gone"
}

// classesUnknown has a system that cannot tell the classes of its requests.
func classesUnknown(h *history) {
	h.classify = func(*evidence.Run) (check.Classes, error) {
		return check.Classes{}, errors.New("nobody knows the classes")
	}
}

// saw adds an observation.
func (h *history) saw(at time.Duration, source, node, what string) {
	h.observations = append(h.observations, evidence.Observation{At: at, Source: source, Node: node, What: what})
}

// observe writes windows, nodes, readiness and samples.
func (h *history) observe() {
	last := loadFrom
	for _, q := range h.requests {
		last = max(last, q.End)
	}
	if h.trouble.kind != "" {
		last = max(last, loadFrom+h.trouble.heal+2*time.Second)
	}
	rest := last + time.Second
	h.windows = []evidence.Window{{Name: evidence.PhaseBaseline, From: 9 * time.Second, To: loadFrom}, {Name: evidence.PhaseLoad, From: loadFrom, To: last},
		{Name: evidence.PhaseQuiesce, From: last, To: rest}, {Name: evidence.PhaseCollect, From: rest, To: rest + time.Second}}
	h.nodes = append(h.nodes, evidence.Node{Name: "store-1", Role: "store", Store: true})
	h.clocks = agreeing(rest + time.Second)
	for r := 1; r <= 3; r++ {
		h.nodes = append(h.nodes, evidence.Node{Name: node(r), Role: "app", Subject: true})
		h.saw(4*time.Second, evidence.SourceReady, node(r), evidence.SawUp)
		h.sample(node(r), rest)
	}
}

// agreeing are the clocks of the harness and of a node, which agree from the start to the end.
func agreeing(end time.Duration) (all []evidence.Clock) {
	for _, at := range []time.Duration{time.Second, end} {
		all = append(all, evidence.Clock{At: at, Node: evidence.ClockHarness, Error: 100},
			evidence.Clock{At: at, Node: "store-1", Offset: 20 * time.Microsecond, Error: 400 * time.Microsecond})
	}
	return all
}

// off has the clock of a node, or the harness's, be off from a moment on.
func off(node string, from, by time.Duration) func(*history) {
	return func(h *history) {
		h.clocks = append(h.clocks, evidence.Clock{At: from, Node: node, Offset: by, Error: time.Millisecond})
	}
}

// clocksUnknown has nobody compare clocks, as in runs from before that was done.
func clocksUnknown(h *history) { h.clocks = nil }

func (h *history) sample(name string, until time.Duration) {
	for at := 9 * time.Second; at <= until; at += 200 * time.Millisecond {
		s := evidence.Sample{At: at, Node: name, Boot: boot1}
		if h.trouble.kind != "" && name == victim && at > loadFrom+h.trouble.at {
			s.Boot = boot2
			if at < loadFrom+h.trouble.heal+500*time.Millisecond {
				s.Boot, s.Error = "", "connection refused"
				h.samples = append(h.samples, s)
				continue
			}
		}
		active := 0.0
		for _, w := range h.served {
			if w.node == name && w.from <= at && at < w.to {
				active++
			}
		}
		s.Values = map[string]float64{gauge: active, gauge + highWater: 3, "go_goroutines": 40 + active, "process_open_fds": 25,
			`pool_connections{state="idle"}`: 8}
		h.samples = append(h.samples, s)
	}
}

// sampleOn goes on sampling an idle system.
func (h *history) sampleOn(d time.Duration) {
	until := h.windows[2].To + d
	h.windows[2].To = until
	h.samples = nil
	for r := 1; r <= 3; r++ {
		h.sample(node(r), until)
	}
}

func lastSeen(h *history) time.Duration { return h.samples[len(h.samples)-1].At }

// evidence is the history as saved evidence.
func (h *history) evidence() *evidence.Run {
	return evidence.New(h.plan, evidence.Requests.With(h.requests...), evidence.Warmup.With(h.warmup...), evidence.Samples.With(h.samples...), evidence.Exits.With(h.exits...),
		evidence.Injections.With(h.injections...), evidence.Observations.With(h.observations...), evidence.Windows.With(h.windows...),
		evidence.Nodes.With(h.nodes...), evidence.LogDefects.With(h.defects...), evidence.Clocks.With(h.clocks...), evidence.Leaks.With(h.leaks...), evidence.Accounts.With(h.accounts...), evidence.CPUUses.With(h.uses...))
}

// run is the history as checks judge it.
func (h *history) run() *check.Run { return check.NewRun(h.evidence(), h.faults, h.classify) }

// script is what every history contains, so that no guard is left open: a slow request and a quick one on each replica, one of
// another user, one in flight on the victim when trouble strikes, and one that it answers after it was healed.
func script(tr trouble) (asks []ask) {
	for r := 1; r <= 3; r++ {
		base, key := time.Duration(r)*10*time.Millisecond, fmt.Sprint("key-", r)
		asks = append(asks, ask{due: base, user: "ann", key: key, class: slow, replica: r}, ask{due: base + time.Second, user: "ann", key: key, class: quick, replica: r})
	}
	asks = append(asks, ask{due: 3 * time.Second, user: "bob", key: "key-9", class: quick, replica: 3})
	if tr.kind != "" {
		asks = append(asks, ask{due: tr.at - 100*time.Millisecond, user: "ann", key: "key-20", class: slow, replica: 2},
			ask{due: tr.heal + 1500*time.Millisecond, user: "ann", key: "key-21", class: slow, replica: 2})
	}
	return asks
}

// scripted is the script alone.
func scripted(kind string) *history {
	tr := trouble{kind: kind, at: 4 * time.Second, heal: 7 * time.Second}
	return simulate(script(tr), tr)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// What follows alters histories.

func unchanged(*history) {}

func both(alter ...func(*history)) func(*history) {
	return func(h *history) {
		for _, a := range alter {
			a(h)
		}
	}
}

func drop(param string) func(*history) { return func(h *history) { delete(h.plan.Params, param) } }

func requests(alter func(*evidence.Request)) func(*history) {
	return func(h *history) {
		for i := range h.requests {
			alter(&h.requests[i])
		}
	}
}

// samples alters the successful scrapes of a node from a moment on.
func samples(node string, from time.Duration, alter func(*evidence.Sample)) func(*history) {
	return func(h *history) {
		for i := range h.samples {
			if s := &h.samples[i]; s.Node == node && s.At >= from && s.Error == "" {
				alter(s)
			}
		}
	}
}

// says adds what a source says of a node, at a moment from the start of the load.
func says(at time.Duration, source, node, what string) func(*history) {
	return func(h *history) { h.saw(loadFrom+at, source, node, what) }
}

// setUpFailed leaves what there is when the load never began.
func setUpFailed(h *history) { h.requests, h.windows = nil, nil }

// nothing leaves no record at all.
func nothing(h *history) { *h = history{plan: h.plan} }

// collected has the probe look at the end of the history.
func collected(probe string) func(*history) {
	return func(h *history) { h.saw(lastSeen(h), evidence.SourceProbe, probe, evidence.ProbeCollected) }
}

func refused(q *evidence.Request) { q.Outcome, q.Status = evidence.Refused, 503 }

func failed(q *evidence.Request) { q.Outcome = evidence.Failed }

func answered(q *evidence.Request) { q.Outcome, q.Status, q.RetryAfter = evidence.OK, 200, 0 }

func delayed(by time.Duration) func(*evidence.Request) {
	return func(q *evidence.Request) { q.End += by }
}
