package probe

import (
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Connect tries, from inside the nodes of the names or roles from, to connect to a server on those of the names or roles to, and
// records who is accepted, refused, or not answered. The server is on the first of the node's Ports, or on reachPort if it has
// none. The nodes that it looks from need python3.
func Connect(to, from []string) Probe {
	return dialling{"connect", evidence.SourceConnect, served, func(what string) string { return what }}.probe(to, from)
}

func served(n *env.Node) int {
	if len(n.Ports) == 0 {
		return reachPort
	}
	return n.Ports[0]
}
