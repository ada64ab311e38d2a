package check

import "time"

// sampledEvery is how often the blueprint's probes look.
const sampledEvery = 100 * time.Millisecond

// Assumptions are what every run takes for granted. A broken one turns a pass into Unknown, except where it is the service
// itself that broke it.
func Assumptions() []Check {
	return []Check{EvidenceComplete(), HealthyBefore(), HealthyAfter(), LoadKeptSchedule(), NoUnplannedDeath(), ProbesSampled(sampledEvery)}
}
