package fault

import (
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Term sends SIGTERM to the named node, as every deployment does. Healing waits for its exit, until a second after its
// grace period, kills it if it is still there, and starts it again.
func Term(node string) Fault {
	return Fault{
		Name:        evidence.FaultTerm + " " + node,
		Nodes:       []string{node},
		Inject:      signal(node, env.Term),
		Certificate: check.Terminated,
	}
}
