package fault

import (
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Kill sends SIGKILL to every process of the named node. Healing starts it again.
func Kill(node string) Fault {
	return Fault{
		Name:        evidence.FaultKill + " " + node,
		Nodes:       []string{node},
		Inject:      signal(node, env.Kill),
		Certificate: check.Killed,
	}
}
