package check_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// gauges are those of the simulated replicas.
func gauges(inFlight string) check.Gauges {
	return check.Gauges{InFlight: []string{inFlight}, HighWater: highWater, Held: []string{"pool_connections"}}
}

// gaugesCases are about gauges at rest.
func gaugesCases() []verdictCase {
	const term = evidence.FaultTerm
	zero := check.GaugesReturnToZero(gauges(gauge))
	until := gauges(gauge)
	until.Since = func(r *check.Run) time.Duration { return check.LastResponse(r.Run) + 3*time.Second }
	on := func(h *history) { h.sampleOn(8 * time.Second) }
	more := func(name string, by float64) func(*evidence.Sample) {
		return func(s *evidence.Sample) { s.Values[name] += by }
	}
	upTo := func(beforeEnd time.Duration) func(*history) {
		return func(h *history) {
			samples("app-1", 0, func(s *evidence.Sample) {
				if s.At < lastSeen(h)-beforeEnd {
					s.Values[gauge] = 2
				}
			})(h)
		}
	}
	grows := func(name string, by float64) func(*history) { return samples("app-1", loadFrom+1, more(name, by)) }
	return []verdictCase{
		{"nothing exported that it may hold", check.GaugesReturnToZero(check.Gauges{}), "", func(h *history) {
			for i := range h.samples {
				clear(h.samples[i].Values)
			}
		}, check.Unknown, "no replica exported anything"},
		{"held, but not exported before the load", zero, "", samples("app-1", 0, func(s *evidence.Sample) {
			if s.At <= loadFrom {
				maps.DeleteFunc(s.Values, func(name string, _ float64) bool { return strings.HasPrefix(name, "pool_connections") })
			}
		}), check.Unknown, "does not export pool_connections"},
		{"back at zero", zero, term, unchanged, check.Pass, "1 gauges"},
		{"negative in a boot that ended", zero, term, func(h *history) {
			samples(victim, 0, func(s *evidence.Sample) {
				if s.Boot == boot1 {
					s.Values[gauge] = -1
				}
			})(h)
		}, check.Fail, "was -1 on app-2"},
		{"never zero", zero, "", both(on, samples("app-1", 0, more(gauge, 1))), check.Fail, "is 1 on app-1"},
		{"never zero after a warm-up that was refused", zero, "", both(on, samples("app-1", 0, more(gauge, 1)), warmed(1, evidence.Refused, "", 503)), check.Fail, "is 1 on app-1"},
		{"zero, then not", zero, "", both(on, func(h *history) {
			samples("app-1", lastSeen(h)-time.Second, func(s *evidence.Sample) { s.Values[gauge] = 2 })(h)
		}), check.Fail, "is 2 on app-1"},
		{"zero within 5 s", zero, "", both(on, upTo(5*time.Second)), check.Pass, ""},
		{"zero after 5 s", zero, "", both(on, upTo(3*time.Second)), check.Fail, "is 2 on app-1"},
		{"zero within 5 s of the last activity", check.GaugesReturnToZero(until), "", both(on, upTo(3*time.Second)), check.Pass, ""},
		{"not yet zero", zero, "", samples("app-1", 0, more(gauge, 1)), check.Unknown, "still 1 on app-1"},
		{"not scraped at rest", zero, "", samples("app-3", loadFrom+3*time.Second, func(s *evidence.Sample) { s.Error = "timeout" }), check.Unknown,
			"app-3 could not be scraped"},
		{"never came back", zero, term, func(h *history) { h.exits[0].At = lastSeen(h) }, check.Unknown, "app-2 could not be scraped"},
		{"never rose", zero, "", func(h *history) {
			for i := range h.samples {
				h.samples[i].Values[gauge+highWater] = 0
			}
		}, check.Unknown, "never above zero"},
		{"busy when the set-up failed", zero, "", both(setUpFailed, samples("app-1", 0, more(gauge, 1))), check.Unknown, "the start of the load"},
		{"negative when the set-up failed", zero, "", both(setUpFailed, samples("app-1", 0, more(gauge, -1))), check.Fail, "was -1 on app-1"},
		{"no such gauge", check.GaugesReturnToZero(gauges("other")), "", unchanged, check.Unknown, "does not export other"},
		{"leak", zero, "", both(on, grows("go_goroutines", 11)), check.Fail, "go_goroutines of app-1 rose from 40"},
		{"leak, or more than after a warm-up that was refused", zero, "", both(on, grows("go_goroutines", 11), warmed(1, evidence.Refused, "", 503)), check.Unknown,
			"go_goroutines of app-1 rose from 40"},
		{"leak or not yet closed", zero, "", grows("go_goroutines", 11), check.Unknown, "go_goroutines of app-1 rose from 40"},
		{"no leak", zero, "", grows("go_goroutines", 9), check.Pass, ""},
		{"leak of what the service names", zero, "", both(on, grows(`pool_connections{state="idle"}`, 11)), check.Fail, `pool_connections{state="idle"} of app-1 rose from 8`},
		{"leak with labels that came with the load", zero, "", both(on, grows(`pool_connections{state="used"}`, 11)), check.Fail, `pool_connections{state="used"} of app-1 rose from 0`},
		{"no leak with labels that came with the load", zero, "", both(on, grows(`pool_connections{state="used"}`, 9)), check.Pass, ""},
		{"not exported at first, and not zero in the end", zero, "", both(on, func(h *history) {
			samples("app-1", 0, func(s *evidence.Sample) {
				if delete(s.Values, gauge); s.At >= lastSeen(h)-2*time.Second {
					s.Values[gauge] = 2
				}
			})(h)
		}), check.Fail, "is 2 on app-1"},
		{"more of what nobody named", zero, "", both(on, samples("app-1", 0, more("other", 5)), grows("other", 11)), check.Pass, ""},
		{"no level", zero, "", func(h *history) {
			h.samples = slices.DeleteFunc(h.samples, func(s evidence.Sample) bool { return s.At <= loadFrom })
		}, check.Unknown, "between warm-up and load"},
	}
}
