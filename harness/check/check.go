// Package check judges evidence. A check is a pure function from a saved run to a verdict: it never looks at the clock, the
// network or the service's own claims about itself, so that any saved run can be judged again.
//
// The checks here are true of any service; they are in files by subject. What only one system promises is judged by checks
// of its own, made with New. assumptions.go has what every run takes for granted.
package check

import (
	"fmt"
	"strings"
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
	Check     string             `json:"name"`
	Status    Status             `json:"status"`
	Reason    string             `json:"reason"`              // one sentence for people
	Figures   map[string]float64 `json:"figures,omitempty"`   // units are in the names: _ms, _usd, or plain counts
	Requests  []uint64           `json:"requests,omitempty"`  // Seq of the requests that the reason rests on, at most MaxRequests
	Recovery  *RecoveryTimes     `json:"recovery,omitempty"`  // how a fault was overcome, if the check measured it
	Headlines []Headline         `json:"headlines,omitempty"` // figures that overviews repeat
}

// MaxRequests bounds the counter-examples that a verdict names.
const MaxRequests = 20

// Headline is a figure of a verdict that overviews repeat beside other runs'.
type Headline struct {
	Title  string `json:"title"`
	Figure string `json:"figure"` // its name in Figures
}

// RecoveryTimes are how a fault was overcome, by what it hit and by the service. Times are milliseconds, nil where the check did not
// measure them.
type RecoveryTimes struct {
	Fault     string             `json:"fault"`
	SinceHeal bool               `json:"since_heal,omitempty"`  // Classes count from the order to heal, else from when the fault was active
	Failover  *float64           `json:"failover_ms,omitempty"` // until another node was seen in the lead
	Floor     *float64           `json:"floor_ms,omitempty"`    // the least that the running configuration lets that take
	Classes   map[string]float64 `json:"classes_ms,omitempty"`  // until requests of each class succeeded again
}

// Check is a named claim about a run.
type Check struct {
	Name string
	Of   func(*Run) Verdict

	timeless bool // see Timeless
}

// New makes a check of a run whose evidence is whole: otherwise the absence of a record would prove nothing. An error says
// what else is lacking; it makes the verdict Unknown, with the figures that were found.
func New(name string, of func(*Run) (Verdict, error)) Check {
	return Check{Name: name, Of: func(r *Run) Verdict {
		if !r.Complete {
			return Unknownf(nil, "the evidence is incomplete: the run was cut short or records are missing")
		}
		v, err := of(r)
		if err != nil {
			v.Status, v.Reason = Unknown, err.Error()
		}
		return v
	}}
}

// Judge runs the check and stamps its name on the verdict. A check that panics has proved nothing, and neither has one of
// evidence that does not read.
func (c Check) Judge(r *Run) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Unknownf(nil, "the check itself panicked: %v", p)
		}
		if err := r.Err(); err != nil {
			v = Unknownf(nil, "%v", err)
		}
		v.Check, v.Reason = c.Name, OneLine(v.Reason)
	}()
	return c.doubt(r, c.Of(r))
}

// OneLine keeps what others wrote into a reason, such as errors of probes, on the line that people read.
func OneLine(reason string) string {
	return strings.Join(strings.FieldsFunc(reason, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// Passf is the verdict Pass.
func Passf(figures map[string]float64, reason string, args ...any) Verdict {
	return Verdict{Status: Pass, Reason: fmt.Sprintf(reason, args...), Figures: figures}
}

// Failf is the verdict Fail, with the numbers of the requests that prove it, if any do.
func Failf(figures map[string]float64, requests []uint64, reason string, args ...any) Verdict {
	return Verdict{Status: Fail, Reason: fmt.Sprintf(reason, args...), Figures: figures, Requests: requests[:min(len(requests), MaxRequests)]}
}

// Unknownf is the verdict Unknown, with the figures that are known although they prove nothing.
func Unknownf(figures map[string]float64, reason string, args ...any) Verdict {
	return Verdict{Status: Unknown, Reason: fmt.Sprintf(reason, args...), Figures: figures}
}
