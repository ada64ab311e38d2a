package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Calm breaks nothing. It is the control: what fails here, no fault is to blame for.
func Calm() harness.Scenario {
	return harness.Scenario{
		Name:      "calm",
		Claim:     "Under 200 requests/s and no fault at all, every promise holds.",
		System:    gateway.Stack{},
		Load:      steadyAt(faster, gateway.DefaultTenants(), 20*time.Second),
		Probes:    []probe.Probe{probe.Accounts(gateway.Role)},
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), gateway.FewSeries(), gateway.Frugal(), gateway.QuickShared(), gateway.RowsMoveOn(), check.AccountsAgree(gateway.MetricConnections)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
