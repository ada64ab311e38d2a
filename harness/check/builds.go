package check

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Upgraded certifies a SIGTERM after which another build took the target's place: what Terminated wants; an end with code 0;
// the engine's account of another build after the heal than before the order; another boot; and the version that is wanted,
// by the target's own word.
func Upgraded(version string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		t, err := Terminated(run, in)
		if err != nil {
			return t, err
		}
		missing := func(what string) (Times, error) {
			return Times{Active: t.Active}, fmt.Errorf("%w: %s", errNotCertified, what)
		}
		if exit, _ := exitAfter(run, in); exit.Code != 0 {
			return missing(fmt.Sprintf("%s ended with code %d", in.Target, exit.Code))
		}
		was, known := lastSaid(run, in.Target, evidence.SourceBuild, span{0, in.Ordered})
		is, seen := lastSaid(run, in.Target, evidence.SourceBuild, healing(in))
		if !known || !seen || was == is {
			return missing("the engine did not start " + in.Target + " from another build")
		}
		if !booted(run, in) {
			return missing(in.Target + " told no other boot after the heal")
		}
		if told, _ := lastSaid(run, in.Target, evidence.SourceVersion, healing(in)); told != version {
			return missing(fmt.Sprintf("%s told after the heal that it is version %q, not %q", in.Target, told, version))
		}
		return t, nil
	}
}

// lastSaid is what the source said of the node last within the span.
func lastSaid(run *evidence.Run, node, source string, within span) (what string, ok bool) {
	for o := range run.Observations() {
		if o.Node == node && o.Source == source && within.holds(o.At) {
			what, ok = o.What, true
		}
	}
	return what, ok
}

// booted says whether the target told another boot after the heal than before the order.
func booted(run *evidence.Run, in evidence.Injection) bool {
	before := ""
	for s := range run.Samples() {
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

// EndsOnBuild: in the end every one of the nodes is the version, by its own word, and all were started from one build, by the
// engine's account. Unknown if nobody looked at one of them, or if one is another because the harness did not replace it.
func EndsOnBuild(version string, nodes ...string) Check {
	return complete("EndsOnBuild", func(run *evidence.Run) Verdict {
		builds := map[string]bool{}
		doubt, behind := "", ""
		for _, node := range nodes {
			whole := span{0, forever}
			told, asked := lastSaid(run, node, evidence.SourceVersion, whole)
			build, seen := lastSaid(run, node, evidence.SourceBuild, whole)
			builds[build] = true
			if !replaced(run, node) {
				behind = node
			}
			switch {
			case asked && told != version && behind != node:
				return fail(nil, nil, "%s ends as version %q, not %q", node, told, version)
			case asked && told != version:
				doubt = fmt.Sprintf("%s ends as version %q, and was not replaced", node, told)
			case !asked || !seen:
				doubt = fmt.Sprintf("nobody saw which build %s is", node)
			}
		}
		figures := map[string]float64{"nodes": float64(len(nodes)), "builds": float64(len(builds))}
		switch {
		case len(nodes) == 0:
			return unknown("no node is named").with(figures)
		case doubt != "":
			return unknown("%s", doubt)
		case len(builds) > 1 && behind != "":
			return unknown("%d nodes end on %d builds, and %s was not replaced", len(nodes), len(builds), behind).with(figures)
		case len(builds) > 1:
			return fail(figures, nil, "%d nodes end on %d builds, although all say that they are version %q", len(nodes), len(builds), version)
		}
		return pass(figures, "all %d nodes end on one build, version %q", len(nodes), version)
	})
}

// replaced says whether the harness ended the node and had it come back.
func replaced(run *evidence.Run, node string) bool {
	for in := range run.Injections() {
		if in.Target == node && in.Kind() == evidence.FaultTerm && in.Error == "" && in.Undo == "" && in.Healing != 0 {
			return true
		}
	}
	return false
}
