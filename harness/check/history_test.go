package check_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// A history is what a correct gateway leaves behind: a small simulator serves requests in the order in which they are due,
// with a cache, one flight per key and a ledger, and writes down what every observer would see.

const (
	loadFrom = 10 * time.Second
	ttl      = 60 * time.Second
	llmTakes = 300 * time.Millisecond
	hitTakes = 4 * time.Millisecond
	// From the load balancer to a replica, from the end of a call until its answer is stored, and from there back to the load balancer.
	toReplica, toStore, toClient = time.Millisecond, 5 * time.Millisecond, time.Millisecond
	victim                       = "gateway-2"
	gauge                        = "sentinel_active_requests"
	boot1                        = "boot-1"
	boot2                        = "boot-2"
)

// counters are what the simulated replicas count.
func counters() check.Counters {
	return check.Counters{Answers: "requests_total", Hits: `cache_total{result="hit"}`, Calls: `calls_total{outcome="ok"}`, Cost: "cost_total"}
}

// ask is one request of the plan.
type ask struct {
	due     time.Duration // from the start of the load
	tenant  string
	topic   int
	replica int  // 1 to 3
	fails   bool // the first upstream call for it, if there is one, ends in an error
}

// trouble is the fault in a history.
type trouble struct {
	kind string        // empty for none
	at   time.Duration // from the start of the load
	heal time.Duration
}

type history struct {
	plan evidence.Plan
	evidence.Records
	flights map[string]*flight // last one by key
	n       map[string]uint64  // calls by key
	trouble trouble
}

type flight struct {
	call evidence.Upstream
	done time.Duration // when its answer is stored and told
}

func keyOf(tenant string, topic int) string { return fmt.Sprintf("key-%s-%d", tenant, topic) }

// simulate serves warm-up and load.
func simulate(warm, asks []ask, tr trouble) *history {
	slices.SortStableFunc(asks, func(a, b ask) int { return cmp.Compare(a.due, b.due) })
	h := &history{flights: map[string]*flight{}, n: map[string]uint64{}, trouble: tr}
	h.plan = evidence.Plan{Format: evidence.Format, Scenario: "simulated", Load: []evidence.Stage{{Name: "steady", Requests: uint64(len(asks))}},
		Params: map[string]time.Duration{evidence.ParamLifetime: ttl * 9 / 10, evidence.ParamMaxAge: ttl, evidence.ParamLease: time.Second,
			evidence.ParamLLMTimeout: 2 * time.Second, evidence.ParamGrace: 10 * time.Second, evidence.ParamDrain: 500 * time.Millisecond,
			evidence.ParamRetryAfter: 5 * time.Second}}
	for i, a := range warm {
		h.serve(fmt.Sprintf("%s1-%d", evidence.WarmupPrefix, i), 5*time.Second+a.due, a)
	}
	for i, a := range asks {
		due := loadFrom + a.due
		served := h.serve(fmt.Sprintf("1-%d", i), due, a)
		h.Calls = append(h.Calls, evidence.Call{Seq: uint64(i), ID: fmt.Sprintf("1-%d", i), Stage: "steady", Tenant: a.tenant,
			Key: keyOf(a.tenant, a.topic), Due: due, Sent: due + time.Millisecond, End: served.end, Conns: 1, Status: 200, Outcome: evidence.OK,
			Answer: evidence.Answer{CallID: served.call.ID, Tenant: a.tenant, Key: served.call.Key}})
	}
	h.disturb()
	h.observe()
	return h
}

type response struct {
	call evidence.Upstream
	end  time.Duration
}

// serve answers one request and writes hop, row and upstream calls.
func (h *history) serve(id string, due time.Duration, a ask) response {
	at, key := due+2*time.Millisecond, keyOf(a.tenant, a.topic)
	replica := h.replicaAt(a.replica, at)
	f, kind := h.flights[key], evidence.RowHit
	if f == nil || at >= f.done+ttl {
		f, kind = h.call(id, key, a, replica, at), evidence.RowCall
	}
	done := max(at+hitTakes, f.done)
	hop := evidence.Hop{RequestID: id, Server: node(replica), At: at - toReplica, End: done + toClient, Status: 200, Termination: "--"}
	if h.struck(replica, hop.At, hop.End) { // the balancer asks another replica, which finds the flight's successor
		replica = 1
		hop.Server, hop.Retries, hop.Redispatched = node(replica), 1, true
		f, kind = h.flights[key], evidence.RowHit
		if kindOf(h.flights[key], id) {
			kind = evidence.RowCall
		}
		hop.End = max(hop.End, f.done+toClient)
	}
	h.Hops = append(h.Hops, hop)
	cost := int64(0)
	if kind == evidence.RowCall {
		cost = f.call.Cost
	}
	h.Rows = append(h.Rows, evidence.Row{ID: "row-" + id, RequestID: id, Tenant: a.tenant, Key: key, Kind: kind, CallID: f.call.ID,
		Cost: cost, At: done, Replica: node(replica), Boot: h.bootAt(node(replica), at)})
	return response{f.call, hop.End + time.Millisecond}
}

func kindOf(f *flight, id string) bool { return f.call.RequestID == id }

// call makes a flight: with an error first if so asked, and from another replica if this one is killed before it has answered,
// be it in a call, before one or between two.
func (h *history) call(id, key string, a ask, replica int, at time.Duration) *flight {
	const errorTakes, backoff = 50 * time.Millisecond, 100 * time.Millisecond
	answered, killed := at+llmTakes+toStore+toClient, loadFrom+h.trouble.at
	if a.fails {
		answered += errorTakes + backoff
	}
	struck := h.struck(replica, at-toReplica, answered)
	if failed := at + errorTakes; a.fails && !(struck && killed < failed) {
		h.upstream(id, key, a.tenant, replica, at, failed, evidence.UpstreamError)
		at = failed + backoff
	}
	if struck {
		if at <= killed {
			h.upstream(id, key, a.tenant, replica, at, killed+20*time.Millisecond, evidence.UpstreamHungUp)
		}
		replica, at = 1, killed+120*time.Millisecond
	}
	u := h.upstream(id, key, a.tenant, replica, at, at+llmTakes, evidence.UpstreamOK)
	f := &flight{call: u, done: u.Ended + toStore}
	h.flights[key] = f
	return f
}

func (h *history) upstream(id, key, tenant string, replica int, from, to time.Duration, outcome string) evidence.Upstream {
	h.n[key]++
	u := evidence.Upstream{ID: fmt.Sprintf("llm-%d", len(h.Upstream)+1), RequestID: id, Tenant: tenant, Key: key, N: h.n[key], Caller: node(replica),
		Arrived: from, Ended: to, Outcome: outcome, Status: 200, Prompt: 7, Completion: 20, Cost: 47_000, Billed: outcome == evidence.UpstreamOK}
	h.Upstream = append(h.Upstream, u)
	return u
}

func node(replica int) string { return fmt.Sprintf("gateway-%d", replica) }

// bootAt is the boot in which a replica takes a request.
func (h *history) bootAt(name string, at time.Duration) string {
	if h.trouble.kind != "" && name == victim && at > loadFrom+h.trouble.at {
		return boot2
	}
	return boot1
}

// replicaAt sends requests that come while the victim is away to another replica.
func (h *history) replicaAt(replica int, at time.Duration) int {
	away := h.trouble.kind != "" && at > loadFrom+h.trouble.at && at < loadFrom+h.trouble.heal+time.Second
	if node(replica) == victim && away {
		return 3
	}
	return replica
}

// struck says whether a kill hits work on that replica.
func (h *history) struck(replica int, from, to time.Duration) bool {
	at := loadFrom + h.trouble.at
	return h.trouble.kind == evidence.FaultKill && node(replica) == victim && from <= at && at < to
}

// disturb writes the records of the fault.
func (h *history) disturb() {
	if h.trouble.kind == "" {
		return
	}
	ordered, healing := loadFrom+h.trouble.at, loadFrom+h.trouble.heal
	exit := evidence.Exit{Node: victim, At: ordered + 900*time.Millisecond}
	if h.trouble.kind == evidence.FaultKill {
		exit.At, exit.Code = ordered+20*time.Millisecond, 137
	}
	h.Exits = append(h.Exits, exit)
	h.Injections = append(h.Injections, evidence.Injection{Fault: h.trouble.kind + " " + victim, Target: victim, Ordered: ordered, Healing: healing})
	h.Observations = append(h.Observations,
		evidence.Observation{At: ordered + 120*time.Millisecond, Source: evidence.SourceHAProxy, Node: victim, What: evidence.SawDown},
		evidence.Observation{At: healing + 700*time.Millisecond, Source: evidence.SourceHAProxy, Node: victim, What: evidence.SawUp})
}

// observe writes windows, nodes, readiness and samples.
func (h *history) observe() {
	last := loadFrom
	for _, c := range h.Calls {
		last = max(last, c.End)
	}
	if h.trouble.kind != "" {
		last = max(last, loadFrom+h.trouble.heal+2*time.Second)
	}
	rest := last + time.Second
	h.Windows = []evidence.Window{{Name: evidence.PhaseBaseline, From: 9 * time.Second, To: loadFrom}, {Name: evidence.PhaseLoad, From: loadFrom, To: last},
		{Name: evidence.PhaseQuiesce, From: last, To: rest}, {Name: evidence.PhaseCollect, From: rest, To: rest + time.Second}}
	h.Nodes = append(h.Nodes, evidence.Node{Name: "llm-1", Role: "llm"})
	for r := 1; r <= 3; r++ {
		h.Nodes = append(h.Nodes, evidence.Node{Name: node(r), Role: "gateway", Subject: true})
		h.Observations = append(h.Observations, evidence.Observation{At: 4 * time.Second, Source: evidence.SourceReady, Node: node(r), What: evidence.SawUp})
		h.sample(node(r), rest)
	}
}

func (h *history) sample(name string, until time.Duration) {
	for at := 9 * time.Second; at <= until; at += 200 * time.Millisecond {
		s := evidence.Sample{At: at, Node: name, Boot: boot1}
		if h.trouble.kind != "" && name == victim && at > loadFrom+h.trouble.at {
			s.Boot = h.bootAt(name, at)
			if at < loadFrom+h.trouble.heal+500*time.Millisecond {
				s.Boot, s.Error = "", "connection refused"
				h.Samples = append(h.Samples, s)
				continue
			}
		}
		active := 0.0
		for _, hop := range h.Hops {
			if hop.Server == name && hop.At <= at && at < hop.End {
				active++
			}
		}
		s.Values = map[string]float64{gauge: active, gauge + "_high_water": 3, "go_goroutines": 40 + active, "process_open_fds": 25}
		h.counted(&s)
		h.Samples = append(h.Samples, s)
	}
}

// counted adds the counters of the boot that was scraped.
func (h *history) counted(s *evidence.Sample) {
	c := counters()
	for _, hop := range h.Hops {
		if hop.Server == s.Node && hop.End <= s.At && h.bootAt(s.Node, hop.At) == s.Boot {
			s.Values[fmt.Sprintf(`%s{code="%d",route="/ask"}`, c.Answers, hop.Status)]++
		}
	}
	s.Values[c.Cost] += 0
	for _, w := range h.Rows {
		switch {
		case w.Replica != s.Node || w.Boot != s.Boot || w.At > s.At:
		case w.Kind == evidence.RowHit:
			s.Values[c.Hits]++
		default:
			s.Values[c.Calls]++
			s.Values[c.Cost] += float64(w.Cost)
		}
	}
}

// run is the history as saved evidence.
func (h *history) run() *evidence.Run { return evidence.New(h.plan, h.Records) }

// clone copies the history deeply enough that any field of any record may be altered.
func (h *history) clone() *history {
	c := *h
	c.plan.Params = maps.Clone(h.plan.Params)
	c.plan.Load = slices.Clone(h.plan.Load)
	r := h.Records
	c.Records = evidence.Records{Calls: slices.Clone(r.Calls), Upstream: slices.Clone(r.Upstream), Hops: slices.Clone(r.Hops), Rows: slices.Clone(r.Rows),
		Samples: slices.Clone(r.Samples), Exits: slices.Clone(r.Exits), Injections: slices.Clone(r.Injections),
		Observations: slices.Clone(r.Observations), Windows: slices.Clone(r.Windows), Nodes: slices.Clone(r.Nodes),
		Leases: slices.Clone(r.Leases), LogLines: slices.Clone(r.LogLines)}
	for i := range c.Samples {
		c.Samples[i].Values = maps.Clone(c.Samples[i].Values)
	}
	return &c
}

// script is what every history contains, so that no guard is left open: a miss and a hit on each replica, a hit on a warm
// key, a request in flight on the victim when trouble strikes, and one that it serves after it was healed.
func script(tr trouble) (warm, asks []ask) {
	warm = []ask{{tenant: "acme", topic: 90, replica: 1}, {due: 100 * time.Millisecond, tenant: "globex", topic: 90, replica: 2}}
	for r := 1; r <= 3; r++ {
		base := time.Duration(r) * 10 * time.Millisecond
		asks = append(asks, ask{due: base, tenant: "acme", topic: 100 + r, replica: r}, ask{due: base + time.Second, tenant: "acme", topic: 100 + r, replica: r})
	}
	asks = append(asks, ask{due: 3 * time.Second, tenant: "globex", topic: 90, replica: 3})
	if tr.kind != "" {
		asks = append(asks, ask{due: tr.at - 100*time.Millisecond, tenant: "acme", topic: 200, replica: 2},
			ask{due: tr.heal + 1500*time.Millisecond, tenant: "acme", topic: 201, replica: 2})
	}
	return warm, asks
}

// scripted is the script alone.
func scripted(kind string) *history {
	tr := trouble{kind: kind, at: 4 * time.Second, heal: 7 * time.Second}
	warm, asks := script(tr)
	return simulate(warm, asks, tr)
}
