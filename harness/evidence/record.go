// Package evidence is the record of one run of one scenario: what was planned, what each observer saw, and when.
//
// Every time is an offset from Plan.Epoch, in nanoseconds, as an integer that a double holds exactly (so that jq reads
// it). Each kind of record is one NDJSON file under evidence/. The package uses the standard library only, so that
// anything may depend on it.
package evidence

import (
	"strings"
	"time"
)

// Outcome says what became of one planned request, from the client's point of view.
type Outcome string

// The outcomes. Their counts always sum to the number of planned requests.
const (
	OK        Outcome = "ok"        // 2xx, complete and well formed
	Refused   Outcome = "refused"   // 429, or 503 with Retry-After, with the documented body
	Failed    Outcome = "failed"    // any other status, or a malformed body
	Ambiguous Outcome = "ambiguous" // timeout, reset, EOF: it may have run
	Aborted   Outcome = "aborted"   // the plan closed it
	Unsent    Outcome = "unsent"    // the generator's own fault
)

// Outcomes lists every outcome in the order in which reports show them.
func Outcomes() []Outcome { return []Outcome{OK, Refused, Failed, Ambiguous, Aborted, Unsent} }

// ReasonCancelled is the reason of a request that was under way when the run was interrupted. It is aborted, yet by no plan.
const ReasonCancelled = "cancelled"

// Call is one planned request as the client saw it.
type Call struct {
	Seq        uint64        `json:"seq"` // numbered from 0 without gaps, in order of Due
	ID         string        `json:"id"`  // the request id that the client chose and sent
	Stage      string        `json:"stage"`
	Tenant     string        `json:"tenant,omitempty"`
	Key        string        `json:"key,omitempty"` // the key that must answer it, computed by the client
	Due        time.Duration `json:"due_ns"`
	Sent       time.Duration `json:"sent_ns"` // 0 with Unsent
	End        time.Duration `json:"end_ns"`  // last byte, or the moment the client gave up
	Conns      int           `json:"conns"`   // connections that carried it; above 1 the transport retried
	Status     int           `json:"status"`  // HTTP status, 0 without a response
	Outcome    Outcome       `json:"outcome"`
	Reason     string        `json:"reason,omitempty"` // class of failure: timeout, reset, eof, refused, dial, status, malformed, ...
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
	Answer     Answer        `json:"answer,omitzero"`
}

// Answer is what a response says of its own origin; for the gateway it is read from the text of the completion, which
// the fake LLM wrote, never from what the service claims.
type Answer struct {
	CallID string `json:"call_id,omitempty"` // Upstream.ID
	Tenant string `json:"tenant,omitempty"`
	Key    string `json:"key,omitempty"`
	Source string `json:"source,omitempty"` // what the service says: hit, call, shared, stored, stale; information only
}

// How an upstream call ended, as the upstream itself saw it.
const (
	UpstreamOK      = "ok"        // a complete 2xx was sent
	UpstreamError   = "error"     // an error status, or a body that is wrong on purpose, was sent
	UpstreamCut     = "cut"       // the response broke off
	UpstreamHungUp  = "hung_up"   // the caller closed before the response was complete
	UpstreamRunning = "in_flight" // not ended when the ledger was read
)

// Upstream is one call in the ledger of the expensive dependency (the fake LLM).
type Upstream struct {
	ID         string        `json:"id"`
	RequestID  string        `json:"request_id"`
	Tenant     string        `json:"tenant"`
	Key        string        `json:"key"`
	N          uint64        `json:"n"`      // 1 for the key's first call
	Caller     string        `json:"caller"` // node name where the address is known, else the address
	Arrived    time.Duration `json:"arrived_ns"`
	Ended      time.Duration `json:"ended_ns"` // end of the response, or when the hang-up was seen; 0 while in flight
	Outcome    string        `json:"outcome"`
	Status     int           `json:"status"`
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"` // what the caller was asked for, with an error status; 0 if nothing
	Delay      time.Duration `json:"delay_ns"`                 // latency added by the control endpoint
	Prompt     int64         `json:"prompt_tokens"`
	Completion int64         `json:"completion_tokens"`
	Cost       int64         `json:"cost_nanousd"` // price of the call, billed or not, in nano-dollars
	Billed     bool          `json:"billed"`       // only a fully sent 2xx is
}

// Hop is one line of the load balancer's access log.
type Hop struct {
	RequestID    string        `json:"request_id"`
	Server       string        `json:"server"` // node name of the last server tried
	At           time.Duration `json:"at_ns"`  // request received
	End          time.Duration `json:"end_ns"`
	Status       int           `json:"status"`
	Retries      int           `json:"retries"`
	Redispatched bool          `json:"redispatched"`
	Termination  string        `json:"termination"` // HAProxy's termination state: "--" is a clean end
}

// Row is one entry of the service's own ledger, as found in its database.
type Row struct {
	ID        string        `json:"id"`
	RequestID string        `json:"request_id"`
	Tenant    string        `json:"tenant"`
	Key       string        `json:"key"`
	Kind      string        `json:"kind"`    // RowCall or RowHit
	CallID    string        `json:"call_id"` // the upstream call that produced the answer
	Cost      int64         `json:"cost_nanousd"`
	At        time.Duration `json:"at_ns"`
	Replica   string        `json:"replica"`
	Boot      string        `json:"boot"`
}

// Kinds of rows: a call is billed, everything else is not.
const (
	RowCall = "call" // this request's flight called the upstream
	RowHit  = "hit"  // answered without a call of its own: cache, shared flight or stored answer
)

// Sample is one scrape of one node, or the failure to scrape it.
type Sample struct {
	At     time.Duration      `json:"at_ns"`
	Node   string             `json:"node"`
	Boot   string             `json:"boot,omitempty"` // changes with every start of the process
	Values map[string]float64 `json:"values,omitempty"`
	Error  string             `json:"error,omitempty"`
}

// Exit is the end of a node's main process, as the engine (not the injector) saw it.
type Exit struct {
	Node string        `json:"node"`
	At   time.Duration `json:"at_ns"`
	Code int           `json:"code"` // 128+n after signal n
}

// Injection is a fault as its injector ordered it. When it truly was active and healed is for its certificate to find
// among the observations.
type Injection struct {
	Fault   string        `json:"fault"` // its first word is its kind: see the Fault constants
	Target  string        `json:"target"`
	Ordered time.Duration `json:"ordered_ns"`
	Healing time.Duration `json:"healing_ns"`         // when the heal was ordered; 0 if never
	Error   string        `json:"error,omitempty"`    // the injector's, if it failed
	Undo    string        `json:"undo_err,omitempty"` // the heal's, if it failed
}

// Kinds of faults that checks know: what each excuses differs.
const (
	FaultTerm   = "term"   // SIGTERM: an orderly end, which excuses nothing
	FaultKill   = "kill"   // SIGKILL: requests in flight on the target may have to be repeated
	FaultFreeze = "freeze" // all processes of the target stop running
	FaultCut    = "cut"    // no packet passes between the target and others
	FaultLose   = "lose"   // a share of the packets between the target and others is lost
	FaultLimit  = "limit"  // the target gets little of the CPU
	FaultSlow   = "slow"   // the target answers late
)

// Kind is the first word of the fault's name.
func (i Injection) Kind() string {
	kind, _, _ := strings.Cut(i.Fault, " ")
	return kind
}

// Observation is what an observer that is independent of the injector saw: a node became ready, a leader changed.
type Observation struct {
	At     time.Duration `json:"at_ns"`
	Source string        `json:"source"` // who saw it: ready, haproxy, patroni, redis-sentinel, ...
	Node   string        `json:"node"`
	What   string        `json:"what"` // up and down: see SawUp and SawDown; others are the observer's own
	Detail string        `json:"detail,omitempty"`
}

// Sources and findings of observations that checks know.
const (
	SourceReady   = "ready"   // the node's own readiness, asked directly
	SourceHAProxy = "haproxy" // the load balancer's opinion of its servers
	SourceProbe   = "probe"   // the harness, on a probe of its own, whose name is the node

	SawUp   = "up"
	SawDown = "down"

	SawReached   = "reached" // by the observer that SourceReach names
	SawLost      = "lost"
	SawSlow      = "slow"      // the server answered, and took its time
	SawPrompt    = "prompt"    // it did not
	SawThrottled = "throttled" // the kernel kept the node from the CPU
	SawFree      = "free"      // it did not
	SawStolen    = "stolen"    // a hypervisor kept the machine from running; else SawFree

	ProbeFailed    = "failed"
	ProbeCollected = "collected" // it looked, at the end: from here on the absence of its records proves something
)

// Names of the probes that checks know, as SourceProbe tells them.
const (
	ProbeLogs   = "logs"   // leaves LogLines
	ProbeLeases = "leases" // leaves Leases
)

// Lease is a right to call the upstream that was still on record in a store when the system was at rest: a lock or a claim.
type Lease struct {
	Store string        `json:"store"` // who keeps it: redis, postgres
	Node  string        `json:"node"`  // where it was read
	Key   string        `json:"key"`   // what it is for
	Owner string        `json:"owner"` // the token of whoever took it
	Seen  time.Duration `json:"seen_ns"`
	Taken time.Duration `json:"taken_ns,omitempty"` // 0 where the store does not keep it
	Ends  time.Duration `json:"ends_ns,omitempty"`  // 0: never; before Seen: it was over already
}

// LogLine is a place in a node's log at which its program reports a defect of its own.
type LogLine struct {
	Node string `json:"node"`
	Line uint64 `json:"line"` // in logs/<node>.log, counted from 1
	What string `json:"what"` // one of the Log constants
	Text string `json:"text"` // that line and those after it which belong to it, as far as they were kept
}

// What programs written in Go report of their own defects.
const (
	LogPanic = "panic"       // recovered from or not
	LogFatal = "fatal error" // of the runtime: concurrent map writes, deadlock, out of memory, a bad address
	LogRace  = "data race"   // of the race detector
)

// SourceMachine tells what kept the machine on which the harness runs, and as a rule all else, from running. Each of its findings
// counts from its own moment to that of the next.
const SourceMachine = "machine"

// SourceThrottling tells whether the kernel keeps a node from the CPU, as it accounts for it.
const SourceThrottling = "throttling"

// Observers of what a node runs. What they say is a version, and the name of a build.
const (
	SourceVersion = "version" // the node's own word
	SourceBuild   = "build"   // the engine's
)

// SourceReach is an observer that tries, from inside one node, to reach others: it tells of them SawReached or SawLost.
func SourceReach(from string) string { return "reach from " + from }

// WarmupPrefix begins the ids of requests that prepare the system: they leave rows and upstream calls but no Calls.
const WarmupPrefix = "warm-"

// Names of the phases of a run, in their order.
const (
	PhaseStart    = "start"
	PhaseBaseline = "baseline"
	PhaseLoad     = "load"
	PhaseQuiesce  = "quiesce"
	PhaseCollect  = "collect"
)

// Window is a named span of the run.
type Window struct {
	Name string        `json:"name"`
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
}

// Node is one member of the system under test.
type Node struct {
	Name    string `json:"name"`
	Role    string `json:"role"` // gateway, postgres, redis, ...
	Addr    string `json:"addr"`
	Subject bool   `json:"subject"`         // part of the service under test, not of what it depends on
	Store   bool   `json:"store,omitempty"` // holds what the replicas of the service share, or leads to it
	Version string `json:"version,omitempty"`
}

// Allowance is a share of requests that the scenario permits to be refused.
type Allowance struct {
	From  time.Duration `json:"from_ns"` // offsets from the start of the load, not from the epoch
	To    time.Duration `json:"to_ns"`
	Share float64       `json:"share"` // largest share, 0 to 1, of the misses due in the window
	// Hits says that hits may be refused, too, and count like misses: in an overload, whoever looks at each request has lost.
	Hits bool `json:"hits,omitempty"`
}

// Plan is what was meant to happen; it carries every parameter that a check reads, so that a newer build judges an old
// run by the run's own terms.
type Plan struct {
	Format   int                      `json:"format"`
	Scenario string                   `json:"scenario"`
	Claim    string                   `json:"claim"`
	Seed     uint64                   `json:"seed"`
	Driver   string                   `json:"driver"`
	Epoch    time.Time                `json:"epoch"`
	Params   map[string]time.Duration `json:"params_ns"` // what the system was configured with: see the Param names
	Versions map[string]string        `json:"versions"`
	Load     []Stage                  `json:"load"`
	Allow    []Allowance              `json:"allow"`
	Faults   []Step                   `json:"faults"`
}

// Stage is one planned part of the load.
type Stage struct {
	Name     string        `json:"name"`
	Shape    string        `json:"shape"` // as people write it: "200/s for 20s"
	Start    time.Duration `json:"start_ns"`
	Requests uint64        `json:"requests"`
}

// Step is one planned fault, in offsets from the start of the load.
type Step struct {
	Fault string        `json:"fault"`
	At    time.Duration `json:"at_ns"`
	For   time.Duration `json:"for_ns"`
}

// Names of parameters that systems under test may set in Plan.Params. A check that needs one that is absent says Unknown.
const (
	ParamLifetime   = "lifetime"    // lower bound of the jittered lifetime of a cached answer
	ParamMaxAge     = "max_age"     // an answer older than this must not be served
	ParamLease      = "lease"       // lease of the lock that a caller of the upstream holds
	ParamLLMTimeout = "llm_timeout" // timeout of one upstream call
	ParamGrace      = "grace"       // time from SIGTERM to the end of the process
	ParamDrain      = "drain"       // time from SIGTERM to the close of the listener
	ParamRetryAfter = "retry_after" // the longest advice in Retry-After of a refusal
	ParamTokenEvery = "token_every" // how long the token bucket of an API key takes to gain a token: 1/rate
	ParamBucketFill = "bucket_fill" // how long an empty one takes to be full: burst/rate
)
