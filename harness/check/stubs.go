package check

import (
	"errors"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func stub(name string) Check {
	return Check{Name: name, Of: func(*evidence.Run) Verdict { return unknown("not written yet") }}
}

// Signatures that are being written.
func NothingDropped() Check                                    { return stub("NothingDropped") }
func OncePerKey() Check                                        { return stub("OncePerKey") }
func ExactCalls(n uint64) Check                                { return stub("ExactCalls") }
func RightAnswer() Check                                       { return stub("RightAnswer") }
func NoHiddenRetries() Check                                   { return stub("NoHiddenRetries") }
func GaugesReturnToZero(names ...string) Check                 { return stub("GaugesReturnToZero") }
func CleanExit(node string) Check                              { return stub("CleanExit") }
func LedgerComplete() Check                                    { return stub("LedgerComplete") }
func ServesAgain(node string) Check                            { return stub("ServesAgain") }
func InFlightAt(fault string) Check                            { return stub("InFlightAt") }
func SawHitsAndMisses() Check                                  { return stub("SawHitsAndMisses") }
func LoadKeptSchedule() Check                                  { return stub("LoadKeptSchedule") }
func EvidenceComplete() Check                                  { return stub("EvidenceComplete") }
func NoUnplannedDeath() Check                                  { return stub("NoUnplannedDeath") }
func ProbesSampled(every time.Duration, nodes ...string) Check { return stub("ProbesSampled") }
func HealthyBefore() Check                                     { return stub("HealthyBefore") }

// Assumptions bundles what every run takes for granted.
func Assumptions() []Check {
	return []Check{EvidenceComplete(), HealthyBefore(), LoadKeptSchedule(), NoUnplannedDeath(), ProbesSampled(100 * time.Millisecond)}
}

// Certificates.
func Terminated(*evidence.Run, evidence.Injection) (Times, error) {
	return Times{}, errors.New("not written yet")
}
func Killed(*evidence.Run, evidence.Injection) (Times, error) {
	return Times{}, errors.New("not written yet")
}

// CertifyAll asks the certificate of every fault that was planned or ordered.
func CertifyAll(run *evidence.Run, certificates map[string]Certificate) []Certified { return nil }

const (
	SourceProbe = "probe"
	ProbeFailed = "failed"
)
