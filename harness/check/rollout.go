package check

import (
	"errors"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// EndsOnBuild: in the end every one of the nodes is the version, by its own word, and all were started from one build, by the
// engine's account. Unknown if nobody looked at one of them, or if one is another because the harness did not replace it.
func EndsOnBuild(version string, nodes ...string) Check {
	return New("EndsOnBuild", func(r *Run) (Verdict, error) {
		if len(nodes) == 0 {
			return Verdict{}, errors.New("no node is named")
		}
		builds := map[string]bool{}
		behind := "" // a node that the harness did not replace
		var f finding
		whole := evidence.Span{From: 0, To: evidence.Forever}
		for _, node := range nodes {
			told, asked := r.LastSaw(node, evidence.SourceVersion, whole)
			build, seen := r.LastSaw(node, evidence.SourceBuild, whole)
			builds[build.What] = true
			asOrdered := replaced(r.Run, node)
			if !asOrdered {
				behind = node
			}
			switch {
			case asked && told.What != version && asOrdered:
				f.breaks("%s ends as version %q, not %q", node, told.What, version)
			case asked && told.What != version:
				f.doubts("%s ends as version %q, and was not replaced", node, told.What)
			case !asked || !seen:
				f.doubts("nobody saw which build %s is", node)
			}
		}
		figures := map[string]float64{"nodes": float64(len(nodes)), "builds": float64(len(builds))}
		switch {
		case len(builds) == 1 || f.doubt != nil:
		case behind != "":
			f.doubts("%d nodes end on %d builds, and %s was not replaced", len(nodes), len(builds), behind)
		default:
			f.breaks("%d nodes end on %d builds, although all say that they are version %q", len(nodes), len(builds), version)
		}
		return f.verdict(figures, "all %d nodes end on one build, version %q", len(nodes), version)
	})
}

// replaced reports whether the harness ended the node and had it come back.
func replaced(run *evidence.Run, node string) bool {
	for _, in := range evidence.Injections.Each(run) {
		if in.Target == node && in.Kind == evidence.FaultTerm && in.Error == "" && in.Undo == "" && in.Healing != 0 {
			return true
		}
	}
	return false
}
