// Package harness runs scenarios: it starts a system, loads it, breaks it, gathers the evidence and judges it. Run is
// the only orchestrator; the command line and `go test` both call it.
package harness

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Scenario is one falsifiable claim about a system under a load and a plan of faults. It is plain data: nothing in it
// runs before Run does.
type Scenario struct {
	Name      string        // lower case words joined by dashes; folder and subtest are named by it
	Claim     string        // one falsifiable sentence, the headline of the report
	System    env.System    // what to start
	Load      load.Profile  // what to send, and what may be refused
	Faults    fault.Plan    // what to break, when, for how long
	Draw      Draw          // draws Faults from the run's seed; nil if they are always the same
	Probes    []probe.Probe // what to observe beside what the system and the faults bring, exits and CPU steal time
	Expect    []check.Check // what must hold
	Sometimes []check.Check // what must have happened at least once, or the run proved nothing
	Short     bool          // one of the few that a hurried run takes: go test -short
	Soak      bool          // takes many minutes: run only when it is named
}

// Observed is a system with observers of its own.
type Observed interface{ Probes() []probe.Probe }

// Classifier is a system that tells the classes of requests apart after the fact.
type Classifier interface {
	Classify(*evidence.Run) (check.Classes, error)
}

// Exempting is a system with records that may be corrupted without a check that need notice.
type Exempting interface{ Exemptions() []corrupt.Exemption }

// Draw makes a plan of random choices, all of which come from r.
type Draw func(r *rand.Rand) fault.Plan

// drawStream keeps the random choices of a plan apart from those of the faults in it, whose streams are their places.
const drawStream = math.MaxUint64

// Drawn is the scenario with the plan that the seed decides: the same seed, the same plan.
func (s Scenario) Drawn(seed uint64) Scenario {
	if s.Draw != nil {
		s.Faults, s.Draw = s.Draw(rand.New(rand.NewPCG(seed, drawStream))), nil
	}
	return s
}

// Limits of the phases. They bound a run that hangs; none of them is waited out when things go well.
const (
	startLimit   = 3 * time.Minute // a cold page cache on a busy CI machine; a warm start takes about 10 s
	warmupLimit  = time.Minute     //
	quiesceLimit = 2 * check.ZeroWithin
	collectLimit = time.Minute //
	baselineFor  = time.Second // ten scrapes: the level that leaks are measured against
	leadIn       = 250 * time.Millisecond
	tailFor      = check.ZeroWithin + 500*time.Millisecond // scrapes after the system says it is quiet, some of them when gauges must be zero
	overhead     = 45 * time.Second                        // start, warm-up, quiesce, collection and removal, with room to spare
)

// Estimate is how long a run takes, stack and clean-up included.
func (s Scenario) Estimate() time.Duration {
	end := s.Load.Duration()
	for _, f := range s.Faults {
		end = max(end, f.At+f.For)
	}
	return end + overhead
}

// Programs are what the system and the faults start, as far as they can say.
func (s Scenario) Programs() (programs []env.Program) {
	if p, ok := s.System.(env.Preparer); ok {
		programs = p.Programs()
	}
	for _, f := range s.Faults {
		programs = append(programs, f.Fault.Programs...)
	}
	return programs
}

// probes are those of the scenario, of its system, of its faults and of every run; of several of one name, the first.
func (s Scenario) probes() (all []probe.Probe) {
	brought := slices.Clone(s.Probes)
	if o, ok := s.System.(Observed); ok {
		brought = append(brought, o.Probes()...)
	}
	for _, f := range s.Faults {
		brought = append(brought, f.Fault.Observe...)
	}
	brought = append(brought, probe.Exits(), probe.CPUSteal(), probe.CPUPressure(), probe.CPUUse(), probe.Clocks())
	for _, p := range brought {
		if !slices.ContainsFunc(all, func(other probe.Probe) bool { return other.Name == p.Name }) {
			all = append(all, p)
		}
	}
	return all
}

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ErrScenario says that a scenario is not fit to be run.
var ErrScenario = errors.New("unfit scenario")

// Validate refuses a scenario that could prove nothing.
func (s Scenario) Validate() error {
	switch {
	case !nameForm.MatchString(s.Name):
		return fmt.Errorf("%w %q: a name is lower case words joined by dashes", ErrScenario, s.Name)
	case s.Claim == "":
		return fmt.Errorf("%w %q: it claims nothing; write one falsifiable sentence into Claim", ErrScenario, s.Name)
	case s.System == nil:
		return fmt.Errorf("%w %q: no System to start", ErrScenario, s.Name)
	case len(s.Expect) == 0:
		return fmt.Errorf("%w %q: no checks in Expect, so it can not fail", ErrScenario, s.Name)
	case len(s.Load.Stages) == 0:
		return fmt.Errorf("%w %q: no load", ErrScenario, s.Name)
	}
	if err := s.Load.Validate(); err != nil {
		return fmt.Errorf("%w %q: %w", ErrScenario, s.Name, err)
	}
	seen := map[string]bool{}
	for _, f := range s.Faults {
		if seen[f.Fault.Name] {
			return fmt.Errorf("%w %q: two faults named %q; names tell them apart in the evidence", ErrScenario, s.Name, f.Fault.Name)
		}
		seen[f.Fault.Name] = true
		if f.Fault.Inject == nil || f.Fault.Confirm == nil {
			return fmt.Errorf("%w %q: fault %q lacks what injects it, or what confirms it", ErrScenario, s.Name, f.Fault.Name)
		}
		if missing := s.missing(f.Fault); missing != "" {
			return fmt.Errorf("%w %q: fault %q needs a node %q, which the system does not have", ErrScenario, s.Name, f.Fault.Name, missing)
		}
	}
	return nil
}

// missing is the first node that a fault needs and the system will not have; empty if it has all, or does not tell.
func (s Scenario) missing(f fault.Fault) string {
	system, tells := s.System.(env.Roster)
	if !tells {
		return ""
	}
	for _, what := range f.Nodes {
		if !slices.ContainsFunc(system.Roster(), func(n env.Spec) bool { return n.Is(what) }) {
			return what
		}
	}
	return ""
}

// Fits refuses a driver that lacks an ability which the system or a fault needs.
func (s Scenario) Fits(d env.Driver) error {
	if system, tells := s.System.(env.Demander); tells {
		if err := env.Able(d, system.Needs()...); err != nil {
			return fmt.Errorf("%w %q: the system needs %w", ErrScenario, s.Name, err)
		}
	}
	for _, f := range s.Faults {
		if err := env.Able(d, f.Fault.Needs...); err != nil {
			return fmt.Errorf("%w %q: fault %q needs %w", ErrScenario, s.Name, f.Fault.Name, err)
		}
	}
	return nil
}
