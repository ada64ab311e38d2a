// Package load sends open-loop load: every request has a moment at which it is due, and is sent then, however slow the
// answers to earlier ones are. Latency counts from that moment, so that a slow service cannot hide behind a load
// generator that waits for it. The package is the only one that drives vegeta.
package load

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Request is what one planned request sends.
type Request struct {
	Method string
	Path   string // with its query, behind the target's URL
	Header http.Header
	Body   []byte
	Tenant string // whose token authorises it; empty for none
	Key    string // that must answer it, for the record
	// Timeout is this client's patience, from the moment of sending; the profile's if zero.
	Timeout time.Duration
	// Leave is when the client closes the connection, from the moment of sending, unless it has its answer by then; never if
	// zero. The request is then aborted, as planned.
	Leave time.Duration
}

// Stage is one part of the load. Stages may overlap.
type Stage struct {
	Name  string
	Start time.Duration // from the start of the load
	Shape Shape
	// Request makes the k-th request. All its random choices must come from r, which is seeded by the run's seed, the
	// stage's name and k, so that the same seed makes the same request k whatever the timing.
	Request func(k uint64, r *rand.Rand) Request
}

// Profile is the load of a scenario and how its answers are to be understood.
type Profile struct {
	Warmup  []Stage // sent before the load by WarmUp; every request of it must be answered ok
	Stages  []Stage
	Timeout time.Duration // the clients' patience, from the moment of sending
	// Read understands a complete 2xx response; an error means that the body is not what it should be.
	Read func(status int, h http.Header, body []byte) (evidence.Answer, error)
	// Refusal recognises the documented way to refuse a request among the other responses; nil recognises none.
	Refusal func(status int, h http.Header, body []byte) (retryAfter time.Duration, ok bool)
	Allow   []evidence.Allowance // refusals that the scenario permits
}

// Target is where the load goes.
type Target struct {
	URL    string            // e.g. http://198.18.0.9:8080
	Tokens map[string]string // value of the Authorization header by tenant; never recorded
}

// ErrProfile says that a profile cannot be run.
var ErrProfile = errors.New("unfit load")

// Plan describes the stages for the record.
func (p Profile) Plan() []evidence.Stage {
	out := make([]evidence.Stage, len(p.Stages))
	for i, s := range p.Stages {
		out[i] = evidence.Stage{Name: s.Name, Shape: s.Shape.String(), Start: s.Start, Requests: count(s.Shape)}
	}
	return out
}

// Duration is how long after the start of the load its last request is due.
func (p Profile) Duration() time.Duration {
	var last time.Duration
	for _, s := range p.Stages {
		if n := count(s.Shape); n > 0 {
			due, _ := s.Shape.Due(n - 1)
			last = max(last, s.Start+due)
		}
	}
	return last
}

// Describe is a plan as people read it, in one line.
func Describe(plan []evidence.Stage) string {
	parts := make([]string, len(plan))
	for i, s := range plan {
		parts[i] = fmt.Sprintf("%s (%s)", s.Name, s.Shape)
		if s.Start > 0 {
			parts[i] = fmt.Sprintf("%s (%s, from %s)", s.Name, s.Shape, s.Start)
		}
	}
	return strings.Join(parts, ", ")
}

func (p Profile) validate() error {
	switch {
	case p.Timeout <= 0:
		return fmt.Errorf("%w: no timeout", ErrProfile)
	case p.Read == nil:
		return fmt.Errorf("%w: nothing reads the answers", ErrProfile)
	}
	for _, s := range p.Stages {
		if s.Shape == nil || s.Request == nil {
			return fmt.Errorf("%w: stage %q lacks its shape or its requests", ErrProfile, s.Name)
		}
	}
	return nil
}

// addr is the host and port to connect to.
func (t Target) addr() (string, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "", fmt.Errorf("%w: target: %w", ErrProfile, err)
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		return "", fmt.Errorf("%w: target %q is not of the form http://host:port", ErrProfile, t.URL)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), nil
}

// random is the source of the stage's k-th request.
func (s Stage) random(seed, k uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", k, s.Name)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
