// Package evidence is the record of one run of one scenario: what was planned, what each observer saw, and when.
//
// Every time is an offset from Plan.Epoch, in nanoseconds, as an integer that a double holds exactly (so that jq reads
// it). Each kind of record is one NDJSON file under evidence/. A system under test adds kinds of its own with NewKind. The
// package uses the standard library only, so that anything may depend on it.
package evidence

import (
	"cmp"
	"time"
)

// Outcome says what became of one planned request, from the client's point of view.
type Outcome string

// The outcomes. Their counts always sum to the number of planned requests.
const (
	OK        Outcome = "ok"        // 2xx, complete and well formed
	Rejected  Outcome = "rejected"  // not 2xx, and the very status that the load wants for it: it must not be served
	Refused   Outcome = "refused"   // not 2xx, and recognised by the profile of the load as the documented way to refuse
	Failed    Outcome = "failed"    // any other status, a malformed answer, or no connection
	Ambiguous Outcome = "ambiguous" // sent, and no complete answer came (timeout, reset, EOF): it may have run
	Aborted   Outcome = "aborted"   // the plan closed it
	Unsent    Outcome = "unsent"    // the generator's own fault
)

// Outcomes lists every outcome in the order in which reports show them.
func Outcomes() []Outcome {
	return []Outcome{OK, Rejected, Refused, Failed, Ambiguous, Aborted, Unsent}
}

// ReasonCancelled is the reason of a request that was under way when the run was interrupted. It is aborted, yet by no plan.
const ReasonCancelled = "cancelled"

// Request is one planned request as the client saw it.
type Request struct {
	Seq        uint64        `json:"seq"` // numbered from 0 without gaps, in order of Due
	Due        time.Duration `json:"due_ns"`
	Sent       time.Duration `json:"sent_ns"`        // 0 with Unsent
	End        time.Duration `json:"end_ns"`         // last byte, or the moment the client gave up
	Conns      int16         `json:"conns"`          // connections that carried it; above 1 the transport retried
	Status     int16         `json:"status"`         // HTTP status, 0 without a response
	Want       int16         `json:"want,omitempty"` // the status other than 2xx that it must get; 0 for a request that is to be served
	Outcome    Outcome       `json:"outcome"`
	ID         string        `json:"id"` // the request id that the client chose and sent
	Stage      string        `json:"stage"`
	Class      string        `json:"class,omitempty"`      // what the load calls its kind; empty where all are of one kind
	User       string        `json:"user,omitempty"`       // whose credentials it carried
	Credential string        `json:"credential,omitempty"` // which of these, by a name; empty for the first
	Key        string        `json:"key,omitempty"`        // requests of one user with one key ask for the same
	Reason     string        `json:"reason,omitempty"`     // class of failure: timeout, reset, eof, refused, dial, status, malformed, ...
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
}

// Requests are the planned requests by Seq.
var Requests = NewKind("requests", func(a, b *Request) int { return cmp.Compare(a.Seq, b.Seq) })

// Warmup are the requests of the warm-up that were refused, answered wrongly or dropped, by Seq, which counts those of the warm-up
// alone. Those that were answered ok leave no record.
var Warmup = NewKind("warmup", func(a, b *Request) int { return cmp.Compare(a.Seq, b.Seq) })

// Latency counts from the moment at which the request was due, so that a late load generator hides nothing: it is free of
// coordinated omission.
func (r *Request) Latency() time.Duration { return r.End - r.Due }

// Service is the part of the latency that the load generator has no part in.
func (r *Request) Service() time.Duration { return r.End - r.Sent }

// Succeeded reports whether it got what the load wants for it: a good answer, or its rejection.
func (r *Request) Succeeded() bool { return r.Outcome == OK || r.Outcome == Rejected }

// Waited reports whether somebody sent the request and waited for its answer to the end.
func (r *Request) Waited() bool { return r.Outcome != Unsent && r.Outcome != Aborted }

// Intern shares the strings that many requests have.
func (r *Request) Intern(one func(string) string) {
	r.Stage, r.Class, r.User, r.Credential, r.Key = one(r.Stage), one(r.Class), one(r.User), one(r.Credential), one(r.Key)
	r.Outcome, r.Reason = Outcome(one(string(r.Outcome))), one(r.Reason)
}

// Sample is one scrape of one node, or the failure to scrape it. Its values are of some moment from when the node was asked until it had
// answered.
type Sample struct {
	At     time.Duration      `json:"at_ns"`             // when it was asked
	Took   time.Duration      `json:"took_ns,omitempty"` // until it had answered; 0 if that was not recorded
	Node   string             `json:"node"`
	Boot   string             `json:"boot,omitempty"` // changes with every start of the process
	Values map[string]float64 `json:"values,omitempty"`
	Error  string             `json:"error,omitempty"`
}

// Samples are the scrapes by time.
var Samples = NewKind("samples", func(a, b *Sample) int { return cmp.Compare(a.At, b.At) })

// Intern shares the strings that many samples have.
func (s *Sample) Intern(one func(string) string) {
	s.Node, s.Boot, s.Error = one(s.Node), one(s.Boot), one(s.Error)
}

// Exit is the end of a node's main process, as the engine (not the injector) saw it.
type Exit struct {
	Node string        `json:"node"`
	At   time.Duration `json:"at_ns"`
	Code int           `json:"code"` // 128+n after signal n
}

// KilledCode is the exit code after signal 9, SIGKILL.
const KilledCode = 128 + 9

// Exits are the ends of processes by time.
var Exits = NewKind("exits", func(a, b *Exit) int { return cmp.Compare(a.At, b.At) })

// Injection is a fault as its injector ordered it. When it truly was active and healed is for the fault's confirmation to
// find among the observations.
type Injection struct {
	Fault   string        `json:"fault"` // its name, unique in the run
	Kind    string        `json:"kind"`  // one of the Fault constants, or a kind of the system's own
	Target  string        `json:"target"`
	Ordered time.Duration `json:"ordered_ns"`
	Healing time.Duration `json:"healing_ns"`         // when the heal was ordered; 0 if never
	Error   string        `json:"error,omitempty"`    // the injector's, if it failed
	Undo    string        `json:"undo_err,omitempty"` // the heal's, if it failed
	// What a kind of the system's own does to its target. Of the Fault constants it is known: see MayEnd and MaySilence.
	Ends     bool `json:"ends,omitempty"`     // its process ends
	Silences bool `json:"silences,omitempty"` // it answers nobody
}

// Injections are the faults by the time they were ordered.
var Injections = NewKind("injections", func(a, b *Injection) int { return cmp.Compare(a.Ordered, b.Ordered) })

// InForce is from the order to the moment before the order to heal, or for ever.
func (i Injection) InForce() Span {
	if i.Healing == 0 {
		return Span{i.Ordered, Forever}
	}
	return Span{i.Ordered, i.Healing - 1}
}

// Afterwards is from the order to heal to the end of the run; empty if there was no such order.
func (i Injection) Afterwards() Span {
	if i.Healing == 0 {
		return Span{From: 1, To: 0}
	}
	return Span{i.Healing, Forever}
}

// Felt is from the order to that long after the order to heal, or for ever if there was no such order.
func (i Injection) Felt(after time.Duration) Span {
	if i.Healing == 0 {
		return Span{i.Ordered, Forever}
	}
	return Span{i.Ordered, i.Healing + after}
}

// MayEnd reports whether the fault is meant to end the target's process, with that exit code.
func (i Injection) MayEnd(code int) bool {
	return i.Ends || i.Kind == FaultTerm || i.Kind == FaultKill && code == KilledCode
}

// MaySilence reports whether the target answers nobody while the fault is on it. One whose process has ended does not.
func (i Injection) MaySilence() bool {
	return i.Ends || i.Silences || i.Kind == FaultTerm || i.Kind == FaultKill || i.Kind == FaultPause
}

// Kinds of faults of any system. Checks know those that they excuse something by; to the others they are only faults.
const (
	FaultTerm       = "term"        // SIGTERM: an orderly end, which excuses nothing
	FaultKill       = "kill"        // SIGKILL: requests in flight on the target may have to be repeated
	FaultPause      = "pause"       // all processes of the target stop running
	FaultPartition  = "partition"   // no packet passes between the target and its peers
	FaultPacketLoss = "packet-loss" // a share of the packets between the target and its peers is lost
	FaultCPUQuota   = "cpu-quota"   // the target gets little of the CPU
	FaultLatency    = "latency"     // the target answers late
)

// Observation is what an observer that is independent of the injector saw: a node became ready, a leader changed.
type Observation struct {
	At     time.Duration `json:"at_ns"`
	Source string        `json:"source"` // who saw it: ready, balancer, ...
	Node   string        `json:"node"`
	What   string        `json:"what"` // up and down: see SawUp and SawDown; others are the observer's own
	Detail string        `json:"detail,omitempty"`
}

// Observations are what observers saw, by time.
var Observations = NewKind("observations", func(a, b *Observation) int { return cmp.Compare(a.At, b.At) })

// Sources and findings of observations that checks know.
const (
	SourceReady    = "ready"    // the node's own readiness, asked directly
	SourceBalancer = "balancer" // the load balancer's opinion of its servers
	SourceProbe    = "probe"    // the harness, on a probe of its own, whose name is the node

	SawUp   = "up"
	SawDown = "down"

	SawReached   = "reached"   // by the observer that SourceReach or SourceConnect names
	SawRefused   = "refused"   // by that of SourceConnect: somebody answered with a reset
	SawLost      = "lost"      // nobody answered
	SawSlow      = "slow"      // the server answered, and took its time
	SawPrompt    = "prompt"    // it did not
	SawThrottled = "throttled" // the kernel kept the node from the CPU
	SawFree      = "free"      // it did not
	SawUnknown   = "unknown"   // by SourceBlind
	SawStolen    = "stolen"    // a hypervisor took time from the machine; else SawFree
	SawStarved   = "starved"   // the machine had too little CPU time for what ran on it; else SawFree

	ProbeFailed    = "failed"
	ProbeCollected = "collected" // it looked, at the end: from here on the absence of its records proves something
)

// Names under which SourceProbe reports that the harness looked, so that the absence of records proves something.
const (
	ProbeSecrets = "secrets" // it knew secrets, and looked for them wherever Leaks are found
	ProbeLogs    = "logs"    // it read the logs for LogDefects
	ProbeExits   = "exits"   // it watched for Exits until the run was over
)

// LogDefect is a place in a node's log at which its program reports a defect of its own.
type LogDefect struct {
	Node string `json:"node"`
	Line uint64 `json:"line"` // in logs/<node>.log, counted from 1
	What string `json:"what"` // one of the Log constants
	Text string `json:"text"` // that line and those after it which belong to it, as far as they were kept
}

// LogDefects are the defects that nodes reported in their logs, by node and line.
var LogDefects = NewKind("logdefects", func(a, b *LogDefect) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Line, b.Line))
})

// What programs written in Go report of their own defects.
const (
	LogPanic = "panic"       // recovered from or not
	LogFatal = "fatal error" // of the runtime: concurrent map writes, deadlock, out of memory, a bad address
	LogRace  = "data race"   // of the race detector
)

// Leak is a secret that was found where it does not belong. Its value is nowhere in the evidence.
type Leak struct {
	At     time.Duration `json:"at_ns"`
	Secret string        `json:"secret"` // its name
	Place  string        `json:"place"`  // one of the Leak constants
	Detail string        `json:"detail"` // the first one there: a node, a request, a kind of record
}

// Leaks are the secrets that were found, each once in each place, by time.
var Leaks = NewKind("leaks", func(a, b *Leak) int { return cmp.Compare(a.At, b.At) })

// Where secrets are looked for.
const (
	LeakLogs      = "logs"      // of nodes of the service
	LeakResponses = "responses" // to the load's requests, headers included
	LeakRecords   = "records"   // of the evidence, such as metrics
	LeakArguments = "arguments" // of the service's processes, which anybody on the machine can list
	LeakStores    = "stores"    // at rest, where a probe of the system looks through them
)

// SourceMachine tells what kept the machine on which the harness runs, and as a rule all else, from running. Each of its findings
// counts from its own moment to that of the next.
const SourceMachine = "machine"

// SourcePressure tells whether the machine of SourceMachine had enough CPU time, by the kernel's account of tasks that wait for it. Each of
// its findings counts from its own moment to that of the next.
const SourcePressure = "pressure"

// SourceThrottling reports whether the kernel keeps a node from the CPU, as it accounts for it.
const SourceThrottling = "throttling"

// Observers of what a node runs. What they say is a version, and the name of a build.
const (
	SourceVersion = "version" // the node's own word
	SourceBuild   = "build"   // the engine's
)

// SourceBlind tells of nodes of which a source can say nothing any more: SawUnknown, until that source speaks of the node again.
func SourceBlind(source string) string { return source + ", blind" }

// SourceReach is an observer that tries, from inside one node, to reach others: it tells of them SawReached or SawLost.
func SourceReach(from string) string { return "reach from " + from }

// SourceConnect is an observer that tries, from inside one node, to connect to servers of others: it tells of them SawReached,
// SawRefused or SawLost.
func SourceConnect(from string) string { return "connect from " + from }

// WarmupPrefix begins the ids of requests that prepare the system: they leave no Requests, and Warmup only if they went wrong.
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

// Windows are the phases by their beginning.
var Windows = NewKind("windows", func(a, b *Window) int { return cmp.Compare(a.From, b.From) })

// Span is the window's time, its end included.
func (w Window) Span() Span { return Span{w.From, w.To} }

// Node is one member of the system under test.
type Node struct {
	Name    string `json:"name"`
	Role    string `json:"role"` // what nodes of its kind are called together
	Addr    string `json:"addr"`
	Subject bool   `json:"subject"`         // part of the service under test, not of what it depends on
	Store   bool   `json:"store,omitempty"` // holds what the replicas of the service share, or leads to it
}

// Nodes are the members of the system under test by name.
var Nodes = NewKind("nodes", func(a, b *Node) int { return cmp.Compare(a.Name, b.Name) })

// Clock is one comparison of a wall clock with the clock of the run, which is monotonic.
type Clock struct {
	At     time.Duration `json:"at_ns"`
	Node   string        `json:"node"`      // whose wall clock: a node, or ClockHarness
	Offset time.Duration `json:"offset_ns"` // by how much the wall clock was ahead; below 0 it was behind
	Error  time.Duration `json:"error_ns"`  // bound of the error of Offset: half of the round trip
}

// Clocks are the comparisons by time.
var Clocks = NewKind("clocks", func(a, b *Clock) int { return cmp.Compare(a.At, b.At) })

// ClockHarness is the Node of the harness's own wall clock.
const ClockHarness = "harness"

// Account is what a node's main process held, by the kernel's account.
type Account struct {
	At          time.Duration `json:"at_ns"`
	Node        string        `json:"node"`
	Resident    int64         `json:"resident_bytes"`
	Descriptors int           `json:"descriptors"` // open file descriptors
	Sockets     int           `json:"sockets"`     // of these, sockets
}

// Accounts are what processes held, by time.
var Accounts = NewKind("accounts", func(a, b *Account) int { return cmp.Compare(a.At, b.At) })

// Intern shares the strings that many accounts have.
func (a *Account) Intern(one func(string) string) { a.Node = one(a.Node) }

// CPUUse is how much CPU time was used on the machine on which the harness runs, in a stretch of the run, by the kernel's account. What
// the kernel does for devices and packets counts for nobody: whose it is, is not known.
type CPUUse struct {
	At    time.Duration `json:"at_ns"`   // its end
	Took  time.Duration `json:"took_ns"` // its length
	Cores int           `json:"cores"`   // processors of the machine
	Busy  time.Duration `json:"busy_ns"` // CPU time that all processes used, at most Took of each core
	Run   time.Duration `json:"run_ns"`  // CPU time that was used for the run, from a little before the stretch to a little after it
}

// CPUUses are what was used, by time.
var CPUUses = NewKind("cpu", func(a, b *CPUUse) int { return cmp.Compare(a.At, b.At) })

// Span is the stretch of the run.
func (u CPUUse) Span() Span { return Span{u.At - u.Took, u.At} }

// OthersShare is the share of the machine's CPU time, 0 to 1, that programs took which have no part in the run, at least.
func (u CPUUse) OthersShare() float64 {
	all := float64(u.Took) * float64(u.Cores)
	if all <= 0 {
		return 0
	}
	return min(1, float64(max(0, u.Busy-u.Run))/all)
}

// Allowance is a share of requests that the scenario permits to be refused.
type Allowance struct {
	From    time.Duration `json:"from_ns"` // offsets from the start of the load, not from the epoch
	To      time.Duration `json:"to_ns"`
	Share   float64       `json:"share"`             // largest share, 0 to 1, of the requests of Classes due in the window
	Classes []string      `json:"classes,omitempty"` // that may be refused; all if empty
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
	Fault string        `json:"fault"` // its name
	Kind  string        `json:"kind"`
	At    time.Duration `json:"at_ns"`
	For   time.Duration `json:"for_ns"`
}

// Names of parameters that systems under test may set in Plan.Params, beside names of their own. A check that needs one that is
// absent says Unknown.
const (
	ParamGrace      = "grace"       // time from SIGTERM to the end of the process
	ParamRetryAfter = "retry_after" // the longest advice in Retry-After of a refusal
	ParamTokenEvery = "token_every" // how long the token bucket of a user takes to gain a token: 1/rate
	ParamBucketFill = "bucket_fill" // how long an empty one takes to be full: burst/rate
)

// ParamFloor followed by the name of a fault names the least time that the running configuration lets the failed dependency
// take to serve again, such as the time after which its members call one of them dead.
const ParamFloor = "floor "
