package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Replacement is another build that takes a node's place, as a deployment has it.
type Replacement struct {
	Program env.Program
	// Ready is awaited first: a deployment goes on only when what it replaced before serves.
	Ready func(context.Context, *env.Env) error
	Probe probe.Probe // a probe.Builds that tells what the node runs
}

// Upgrade is Term for a node that comes back as another build.
func Upgrade(t Target, to Replacement) Fault {
	f := t.at(evidence.FaultTerm, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		driver, err := env.Upgrade.Use(e)
		if err != nil {
			return nil, err
		}
		return end(ctx, e, n, env.Term, func(ctx context.Context) error { return driver.Replace(ctx, n, to.Program) })
	}, upgraded(to.Program.Version))
	f.Name += " for " + to.Program.Version
	f.Await = to.Ready
	f.Needs = []env.Ability{env.Upgrade}
	f.Programs = []env.Program{to.Program}
	f.Observe = append(slices.Clone(t.Observe), to.Probe)
	return f
}

// upgraded: what confirms a SIGTERM; an end with code 0; the engine's account of another build after the heal than before the
// order; another boot; and the version that is wanted, by the target's own word.
func upgraded(version string) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		t, err := terminated(run, in)
		if err != nil {
			return t, err
		}
		missing := func(what string, args ...any) (Times, error) {
			return Times{Active: t.Active}, fmt.Errorf("%w: %s", ErrUnconfirmed, fmt.Sprintf(what, args...))
		}
		if exit, _ := run.ExitOf(in.Target, in.Ordered); exit.Code != 0 {
			return missing("%s ended with code %d", in.Target, exit.Code)
		}
		was, known := run.LastSaw(in.Target, evidence.SourceBuild, evidence.Span{To: in.Ordered})
		is, seen := run.LastSaw(in.Target, evidence.SourceBuild, in.Afterwards())
		if !known || !seen || was.What == is.What {
			return missing("the engine did not start %s from another build", in.Target)
		}
		if !booted(run, in) {
			return missing("%s told no other boot after the heal", in.Target)
		}
		if told, _ := run.LastSaw(in.Target, evidence.SourceVersion, in.Afterwards()); told.What != version {
			return missing("%s told after the heal that it is version %q, not %q", in.Target, told.What, version)
		}
		return t, nil
	}
}

// booted reports whether the target told another boot after the heal than before the order.
func booted(run *evidence.Run, in evidence.Injection) bool {
	before := ""
	for _, s := range evidence.Samples.Each(run) {
		switch {
		case s.Node != in.Target || s.Boot == "":
		case s.At <= in.Ordered:
			before = s.Boot
		case s.At >= in.Healing && before != "" && s.Boot != before:
			return true
		}
	}
	return false
}
