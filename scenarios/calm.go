package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// Calm breaks nothing. It is the control: what fails here, no fault is to blame for.
func Calm() harness.Scenario {
	return harness.Scenario{
		Name:      "calm",
		Claim:     "Under 200 requests/s and no fault at all, every promise holds.",
		System:    fixtures.GatewayStack{},
		Load:      steadyAt(faster, fixtures.DefaultTenants(), 20*time.Second),
		Probes:    observers(),
		Expect:    base(),
		Sometimes: []check.Check{check.SawHitsAndMisses()},
	}
}
