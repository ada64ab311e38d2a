// Package load sends requests by an open model: an arrival rate decides when each request is due, and it is sent then, however
// slow the answers to earlier ones are. Latency counts from the moment a request was due. So a slow service cannot hide behind
// a load generator that waits for it: there is no coordinated omission. How late a request was sent is recorded, too.
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
	"slices"
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
	Class  string // for the record: what the load calls this kind of request; empty where all are of one kind
	User   string // whose token it carries; empty for none
	// Credential names the token that it carries instead of the user's first one, which has no name.
	Credential string
	Key        string // for the record: requests of one user with one key ask for the same
	Want       int    // the status other than 2xx that it must get, such as 401; 0 for a request that is to be served
	// Timeout is how long this client waits, from the moment of sending; the profile's if zero.
	Timeout time.Duration
	// AbortAfter is when the client closes the connection, from the moment of sending, unless it has its answer by then. The
	// request is then aborted, as planned. Zero, or a time beyond the timeout, plans no abort.
	AbortAfter time.Duration
}

// Wanting gives each request of a stage the status that it must get.
func Wanting(status int, request func(k uint64, r *rand.Rand) Request) func(uint64, *rand.Rand) Request {
	return func(k uint64, r *rand.Rand) Request {
		q := request(k, r)
		q.Want = status
		return q
	}
}

// Response is a complete response to the request with the sequence number Seq, which was sent with the request id ID.
type Response struct {
	Seq    uint64
	ID     string
	Status int
	Header http.Header
	Body   []byte
}

// Stage is one part of the load. Stages may overlap.
type Stage struct {
	Name  string
	Start time.Duration // from the start of the load
	Shape Shape
	// Request makes the k-th request. All its random choices must come from r, which is seeded by the run's seed, the stage's
	// name and k. So the same seed makes the same request k, whatever the timing.
	Request func(k uint64, r *rand.Rand) Request
}

// Profile is the load of a scenario and how its answers are to be understood. Its functions are called concurrently.
type Profile struct {
	Warmup  []Stage // sent before the load by WarmUp; all of its requests shall be answered ok
	Stages  []Stage
	Timeout time.Duration // how long clients wait, from the moment of sending
	// Read understands a complete 2xx response; an error means that the body is not what it should be. What Read learned it
	// may record, in kinds of its own. In the warm-up the recorder is nil. A nil Read takes every 2xx for ok.
	Read func(Response, *evidence.Recorder) error
	// Reject understands a complete response that has the status which its request wants; an error means that it is not what it
	// should be. A nil Reject looks at the status alone.
	Reject func(Response) error
	// Refusal recognises the documented way to refuse a request among the other responses; nil recognises none.
	Refusal func(status int, h http.Header, body []byte) (retryAfter time.Duration, ok bool)
	Allow   []evidence.Allowance // refusals that the scenario permits
	// Confidential are parts of what its requests ask, or of what they are told, that must be found neither in the service's logs nor in
	// its metrics.
	Confidential []string
}

// Target is where the load goes.
type Target struct {
	URL    string            // e.g. http://198.18.0.9:8080
	Tokens map[string]string // value of the Authorization header by user, or by the name of another credential; never recorded
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

// Validate returns ErrProfile, with the reason, if the profile cannot be run as it is.
func (p Profile) Validate() error {
	if p.Timeout <= 0 {
		return fmt.Errorf("%w: Timeout is %s: say how long clients wait", ErrProfile, p.Timeout)
	}
	for _, stages := range [][]Stage{p.Warmup, p.Stages} {
		names := map[string]bool{}
		for _, s := range stages {
			if names[s.Name] {
				return fmt.Errorf("%w: two stages are named %q: they would draw the same requests", ErrProfile, s.Name)
			}
			names[s.Name] = true
		}
	}
	for _, s := range slices.Concat(p.Warmup, p.Stages) {
		switch {
		case s.Shape == nil:
			return fmt.Errorf("%w: stage %q has no Shape: say when its requests are due", ErrProfile, s.Name)
		case s.Request == nil:
			return fmt.Errorf("%w: stage %q has no Request: say what it sends", ErrProfile, s.Name)
		case s.Start < 0:
			return fmt.Errorf("%w: stage %q starts at %s, before the load", ErrProfile, s.Name, s.Start)
		}
	}
	for _, a := range p.Allow {
		if a.From < 0 || a.To <= a.From {
			return fmt.Errorf("%w: an allowance from %s to %s covers no part of the load", ErrProfile, a.From, a.To)
		}
		if !(a.Share > 0 && a.Share <= 1) {
			return fmt.Errorf("%w: an allowance of %g of the requests: want a share above 0 and at most 1", ErrProfile, a.Share)
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
