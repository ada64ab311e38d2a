package reports

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Status is the verdict on a scenario: what check.Status says, or that it was not run at all.
type Status string

// The statuses of a scenario.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Unknown Status = "unknown" // inconclusive: the evidence proves neither
	Skipped Status = "skipped" // not run
)

// Results is the content of results.json.
type Results struct {
	Run       string            `json:"run"`
	Started   time.Time         `json:"started"`
	Seed      uint64            `json:"seed"`
	Driver    string            `json:"driver"`
	Versions  map[string]string `json:"versions"`
	Scenarios []Scenario        `json:"scenarios"`
}

// Scenario is the result of one scenario.
type Scenario struct {
	Name     string   `json:"name"`
	Claim    string   `json:"claim"`
	Status   Status   `json:"status"`
	Reason   string   `json:"reason"`
	Seconds  float64  `json:"seconds"` // from the begin of its first phase to the end of its last
	Requests Requests `json:"requests"`
	Lag      Lag      `json:"lag_ms"`
	Checks   []Check  `json:"checks"`
	Faults   []Fault  `json:"faults"`

	Recoveries []Recovery `json:"recoveries"`
}

// Requests counts the planned requests by outcome; the outcomes sum to Planned.
type Requests struct {
	Planned   uint64 `json:"planned"`
	OK        uint64 `json:"ok"` // as the load wants it: a good answer, or the status of a request that must be rejected
	Refused   uint64 `json:"refused"`
	Failed    uint64 `json:"failed"`
	Ambiguous uint64 `json:"ambiguous"`
	Aborted   uint64 `json:"aborted"`
	Unsent    uint64 `json:"unsent"`
}

// Lag is how late requests were sent, in milliseconds after they were due.
type Lag struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Kind tells apart the three groups of verdicts.
type Kind string

// The kinds of verdicts.
const (
	Assumption Kind = "assumption" // what the run rests on
	Claim      Kind = "check"      // what the scenario promises
	Sometimes  Kind = "sometimes"  // what must have happened, or the run proved nothing
)

// Check is one verdict.
type Check struct {
	Kind    Kind               `json:"kind"`
	Name    string             `json:"name"`
	Status  check.Status       `json:"status"`
	Reason  string             `json:"reason"`
	Figures map[string]float64 `json:"figures"` // units are in the names
}

// Fault is an injected fault with its four times, each null where it is not known.
type Fault struct {
	Name      string     `json:"name"`
	Target    string     `json:"target"`
	Ordered   *time.Time `json:"ordered"`
	Active    *time.Time `json:"active"`  // seen by an observer independent of the injector
	Healing   *time.Time `json:"healing"` // the heal was ordered
	Healed    *time.Time `json:"healed"`  // seen by an observer independent of the injector
	Confirmed bool       `json:"confirmed"`
}

// Count gives the number of scenarios with that status.
func (r Results) Count(s Status) int {
	n := 0
	for _, sc := range r.Scenarios {
		if sc.Status == s {
			n++
		}
	}
	return n
}

// Status is the verdict on the whole run: one failure fails it, and whatever is not proven leaves it inconclusive. A
// scenario that was asked for and not run is not proven.
func (r Results) Status() Status {
	switch {
	case r.Count(Fail) > 0:
		return Fail
	case r.Count(Skipped) == len(r.Scenarios):
		return Skipped
	case r.Count(Pass) == len(r.Scenarios):
		return Pass
	default:
		return Unknown
	}
}

func results(run evidence.Session, measured []*scenario) Results {
	r := Results{Run: run.Run, Started: run.Started.UTC(), Seed: run.Seed, Driver: run.Driver,
		Versions: map[string]string{}, Scenarios: []Scenario{}}
	for _, m := range measured {
		r.Scenarios = append(r.Scenarios, m.result)
		mergeVersions(r.Versions, m.versions)
	}
	for _, n := range unbegun(run, measured) {
		r.Scenarios = append(r.Scenarios, emptyScenario(n.Name, n.Claim, Skipped, n.Reason))
	}
	return r
}

// mergeVersions keeps both where two scenarios of a run disagree, which no honest run does.
func mergeVersions(into, from map[string]string) {
	for name, v := range from {
		if old, ok := into[name]; ok && old != v {
			v = old + ", " + v
		}
		into[name] = v
	}
}

func verdicts(j check.Judgement) []Check {
	all := []Check{}
	for _, group := range []struct {
		kind     Kind
		verdicts []check.Verdict
	}{{Claim, j.Checks}, {Assumption, j.Assumptions}, {Sometimes, j.Sometimes}} {
		for _, v := range group.verdicts {
			figures := v.Figures
			if figures == nil {
				figures = map[string]float64{}
			}
			all = append(all, Check{Kind: group.kind, Name: v.Check, Status: v.Status, Reason: v.Reason, Figures: figures})
		}
	}
	return all
}

func faults(epoch time.Time, judged []check.Fault) []Fault {
	at := func(offset time.Duration) *time.Time {
		if offset == 0 {
			return nil
		}
		t := epoch.Add(offset).UTC()
		return &t
	}
	all := []Fault{}
	for _, f := range judged {
		all = append(all, Fault{Name: f.Name, Target: f.Target, Ordered: at(f.Ordered), Active: at(f.Active),
			Healing: at(f.Healing), Healed: at(f.Healed), Confirmed: f.Confirmed})
	}
	return all
}
