// Package check judges evidence. A check is a pure function from a saved run to a verdict: it never looks at the clock,
// the network or the service's own claims about itself, so that any saved run can be judged again.
//
// A check is in a file of its own, named by it: once.go has OncePerKey, retry_after_honest.go RetryAfterHonest. Certificates
// of faults are in certificate.go and beside it in aimed, reach, slowed, limited, upstream_fault and builds; what every run takes for
// granted is in assume.go. What several checks derive from a run is made once: requests in brief, roster and groups, the
// upstream's calls in ledger, keys and hits, everybody's records of one request in places, books and account, and what is
// normal in pace. index.go is the table that finds names in large runs.
package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Status is a three-valued verdict. The zero value is Unknown, so that a verdict that nobody filled in passes nothing.
type Status int

// The statuses.
const (
	Unknown Status = iota // inconclusive: the evidence proves neither
	Pass
	Fail
)

var statusNames = [...]string{Unknown: "unknown", Pass: "pass", Fail: "fail"}

func (s Status) String() string {
	if s < Unknown || s > Fail {
		return fmt.Sprintf("status(%d)", int(s))
	}
	return statusNames[s]
}

// MarshalText writes unknown, pass or fail.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads unknown, pass or fail.
func (s *Status) UnmarshalText(b []byte) error {
	for i, n := range statusNames {
		if n == string(b) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("status %q: want unknown, pass or fail", b)
}

// Verdict is what a check found.
type Verdict struct {
	Check   string             `json:"name"`
	Status  Status             `json:"status"`
	Reason  string             `json:"reason"`            // one sentence for people
	Figures map[string]float64 `json:"figures,omitempty"` // units are in the names: _ms, _usd, or plain counts
	Calls   []uint64           `json:"calls,omitempty"`   // Seq of the requests that the reason rests on, at most MaxCalls
	Fault   string             `json:"fault,omitempty"`   // the fault whose recovery the figures tell; empty for none
}

// MaxCalls bounds the counter-examples that a verdict names.
const MaxCalls = 20

// Check is a named claim about a run.
type Check struct {
	Name string
	Of   func(*evidence.Run) Verdict
}

// Judge runs the check and stamps its name on the verdict. A check that panics has proved nothing.
func (c Check) Judge(run *evidence.Run) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Status: Unknown, Reason: fmt.Sprintf("the check itself panicked: %v", p)}
		}
		v.Check, v.Reason = c.Name, oneLine(v.Reason)
	}()
	return c.Of(run)
}

// oneLine keeps what others wrote into a reason, such as errors of probes, on the line that people read.
func oneLine(reason string) string {
	return strings.Join(strings.FieldsFunc(reason, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// about names the fault whose recovery the check measures.
func (c Check) about(fault string) Check {
	of := c.Of
	c.Of = func(run *evidence.Run) Verdict {
		v := of(run)
		v.Fault = fault
		return v
	}
	return c
}

// Times are the moments at which an observer independent of the injector saw a fault take effect and end.
type Times struct {
	Active time.Duration
	Healed time.Duration
}

// Certificate looks for the proof that an injected fault truly took effect and ended. The error names the proof that is
// missing.
type Certificate func(*evidence.Run, evidence.Injection) (Times, error)

func pass(figures map[string]float64, reason string, args ...any) Verdict {
	return Verdict{Status: Pass, Reason: fmt.Sprintf(reason, args...), Figures: figures}
}

func fail(figures map[string]float64, calls []uint64, reason string, args ...any) Verdict {
	return Verdict{Status: Fail, Reason: fmt.Sprintf(reason, args...), Figures: figures, Calls: firstCalls(calls)}
}

func unknown(reason string, args ...any) Verdict {
	return Verdict{Status: Unknown, Reason: fmt.Sprintf(reason, args...)}
}

// with adds the figures that are known although they prove nothing.
func (v Verdict) with(figures map[string]float64) Verdict {
	v.Figures = figures
	return v
}

func firstCalls(calls []uint64) []uint64 {
	if len(calls) > MaxCalls {
		return calls[:MaxCalls]
	}
	return calls
}
