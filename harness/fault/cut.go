package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Cut loses every packet between the sides. Its certificate wants probe.Reach to look at the node from all of the others.
func Cut(s Sides) Fault { return s.fault(evidence.FaultCut, 1, check.CutOff(s.From...)) }

// Lose loses that share of the packets, above 0 and below 1. Its certificate wants the same probe.
func Lose(share float64, s Sides) Fault {
	return s.fault(fmt.Sprintf("%s %g%%", evidence.FaultLose, 100*share), share, check.Lossy(s.From...))
}

func (s Sides) fault(kind string, share float64, c check.Certificate) Fault {
	f := Fault{Name: fmt.Sprintf("%s %s from %s%s", kind, s.What, strings.Join(s.From, ", "), s.Way),
		Needs: []env.Capability{env.Partition}, Nodes: s.From, Certificate: c}
	if s.Find == nil {
		s.Find, f.Nodes = named(s.What), append([]string{s.What}, s.From...)
	}
	f.Inject = func(ctx context.Context, e *env.Env, _ *rand.Rand) (Injected, error) {
		n, err := s.Find(ctx, e)
		if err != nil {
			return Injected{}, err
		}
		undo, err := e.Cut(ctx, s.paths(e, n), share)
		return Injected{Target: n.Name, Undo: undo}, err
	}
	return f
}
