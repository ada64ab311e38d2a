package check_test

import (
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// panicsTotal counts panics in the histories.
const panicsTotal = "panics_total"

// ownKind makes the fault one of the system's own.
func ownKind(alter func(*evidence.Injection)) func(*history) {
	return func(h *history) {
		h.injections[0].Kind, h.faults[0].Kind = "oom", "oom"
		alter(&h.injections[0])
	}
}

// processCases are about how processes ended, and what their logs report.
func processCases() []verdictCase {
	const term, kill = evidence.FaultTerm, evidence.FaultKill
	clean, deaths, panics := check.CleanExit(victim), check.NoUnplannedDeath(), check.NoPanics()
	code := func(code int) func(*history) { return func(h *history) { h.exits[0].Code = code } }
	died := func(nodes ...string) func(*history) {
		return func(h *history) {
			for _, n := range nodes {
				h.exits = append(h.exits, evidence.Exit{Node: n, At: lastSeen(h), Code: 2})
			}
		}
	}
	watched := collected(evidence.ProbeExits)
	noExits := func(h *history) { h.exits = nil }
	logs := func(defects ...evidence.LogDefect) func(*history) {
		return both(collected(evidence.ProbeLogs), func(h *history) { h.defects = defects })
	}
	panicked := evidence.LogDefect{Node: "app-2", Line: 7, What: evidence.LogPanic, Text: "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:"}
	recovered := evidence.LogDefect{Node: "app-1", Line: 3, What: evidence.LogPanic, Text: `{"error":"flight panicked: nil map"}`}
	counts := check.PanicsCounted(panicsTotal)
	count := func(node string, from, n float64) func(*history) {
		return samples(node, seconds(from), func(s *evidence.Sample) { s.Values[panicsTotal] = n })
	}
	counted := func(more ...func(*history)) func(*history) {
		return both(append([]func(*history){count("app-1", 0, 0), count(victim, 0, 0), count("app-3", 0, 0)}, more...)...)
	}
	secrets := check.NoSecretsLeaked()
	leaked := evidence.Leak{Secret: "the token", Place: evidence.LeakLogs, Detail: "app-1"}
	return []verdictCase{
		{"no panics", counts, "", counted(logs()), check.Pass, "as many panics as it logged, 0 in all"},
		{"logged and counted", counts, "", counted(logs(recovered), count("app-1", 10.5, 1)), check.Pass, "1 in all"},
		{"counted alone", counts, "", counted(logs(), count("app-1", 10.5, 2)), check.Fail, "counted 2 panics and logged 0 (app-1)"},
		{"logged alone", counts, "", counted(logs(recovered)), check.Fail, "counted 0 panics and logged 1 (app-1)"},
		{"logged by one, counted by another", counts, "", counted(logs(recovered), count("app-3", 10.5, 1)), check.Fail, "1 replica counted 0 panics and logged 1 (app-1), 1 replica counted 1"},
		{"the panic ended the process", counts, kill, counted(logs(panicked)), check.Pass, "0 in all"},
		{"a boot died with its count", counts, kill, counted(logs(evidence.LogDefect{Node: victim, What: evidence.LogPanic, Text: "{panic: }"})), check.Pass, "0 in all"},
		{"counted before it died, and not logged", counts, kill, counted(logs(), samples(victim, 0, func(s *evidence.Sample) {
			if s.Boot == boot1 {
				s.Values[panicsTotal] = 1
			}
		})), check.Fail, "counted 1 panics and logged 0 (app-2)"},
		{"not counted", counts, "", logs(), check.Unknown, "was not seen to export"},
		{"not scraped at rest", counts, "", counted(logs(), samples("app-1", 13*time.Second, func(s *evidence.Sample) { s.Error = "timeout" })), check.Unknown, "app-1 was not seen to export"},
		{"logs not read", counts, "", counted(count("app-1", 10.5, 1)), check.Unknown, "nobody read the logs"},

		{"nothing leaked", secrets, "", collected(evidence.ProbeSecrets), check.Pass, "no secret was found"},
		{"no secrets known", secrets, "", collected(evidence.ProbeLogs), check.Unknown, "nobody looked for secrets"},
		{"leaked", secrets, "", both(collected(evidence.ProbeSecrets), func(h *history) { h.leaks = []evidence.Leak{leaked} }), check.Fail, "1 the token in the logs (app-1)"},
		{"found in a store", secrets, "", both(collected(evidence.ProbeSecrets), func(h *history) {
			h.leaks = []evidence.Leak{{Secret: "the key", Place: evidence.LeakStores, Detail: "keys"}}
		}), check.Fail, "1 the key in the stores (keys)"},
		{"leaked, seen although the logs were not read", secrets, "", func(h *history) { h.leaks = []evidence.Leak{leaked} }, check.Fail, "the token"},

		{"clean", clean, term, unchanged, check.Pass, "900 ms after SIGTERM"},
		{"killed in the end", clean, term, code(137), check.Fail, "did not end at SIGTERM"},
		{"with an error", clean, term, code(2), check.Fail, "code 2"},
		{"late", clean, term, func(h *history) { h.exits[0].At += 10 * time.Second }, check.Fail, "took 10900 ms"},
		{"never", clean, term, func(h *history) { h.exits, h.injections[0].Healing = nil, 0 }, check.Fail, "never ended"},
		{"unseen", clean, term, noExits, check.Unknown, "nobody recorded"},
		{"another node", check.CleanExit("app-1"), term, unchanged, check.Unknown, "never sent SIGTERM"},
		{"killed", clean, kill, unchanged, check.Unknown, "never sent SIGTERM"},
		{"late after a signal that failed", clean, term, func(h *history) {
			h.exits[0].At += 10 * time.Second
			first := h.injections[0]
			first.Fault, first.Error, first.Ordered, first.Healing = "earlier", "no engine", first.Ordered-time.Second, first.Ordered-time.Millisecond
			h.injections = []evidence.Injection{first, h.injections[0]}
		}, check.Fail, "took 10900 ms"},
		{"no grace", clean, term, drop(evidence.ParamGrace), check.Unknown, "grace"},
		{"signal failed", clean, term, func(h *history) { h.injections[0].Error = "no engine" }, check.Unknown, "no engine"},

		{"nobody died", deaths, "", watched, check.Pass, ""},
		{"only whom it should", deaths, kill, watched, check.Pass, ""},
		{"nobody looked", deaths, "", unchanged, check.Unknown, "nobody watched for ends of processes"},
		{"another probe watched", deaths, kill, collected(evidence.ProbeLogs), check.Unknown, "nobody watched for ends of processes"},
		{"the service died, seen although nobody watched to the end", deaths, "", died("app-1"), check.Fail, "app-1 ended with code 2"},
		{"the service died", deaths, "", both(watched, died("app-1")), check.Fail, "app-1 ended with code 2"},
		{"it died again", deaths, kill, both(watched, died(victim)), check.Fail, "app-2 ended with code 2"},
		{"it died by itself when it was to be killed", deaths, kill, code(2), check.Fail, "app-2 ended with code 2"},
		{"by a fault of the system's own that ends", deaths, kill, both(watched, code(2), ownKind(func(in *evidence.Injection) { in.Ends = true })), check.Pass, ""},
		{"by a fault of the system's own that does not", deaths, kill, both(watched, ownKind(func(in *evidence.Injection) { in.Silences = true })), check.Fail, "app-2 ended with code 137"},
		{"a dependency died", deaths, "", both(watched, died("store-1")), check.Unknown, "store-1 ended with code 2"},
		{"both died", deaths, "", died("store-1", "app-1"), check.Fail, "app-1"},

		{"clean logs", panics, "", logs(), check.Pass, "no log reports"},
		{"not read", panics, "", unchanged, check.Unknown, "nobody read the logs"},
		{"another probe looked", panics, "", collected("other"), check.Unknown, "nobody read the logs"},
		{"panicked", panics, "", logs(panicked), check.Fail,
			"1 panic in the logs; the first, logs/app-2.log line 7: panic: assignment to entry in nil map goroutine 1 [running]:"},
		{"panicked, seen although the reading failed later", panics, "", func(h *history) { h.defects = []evidence.LogDefect{panicked} }, check.Fail, "1 panic"},
		{"several", panics, "", logs(evidence.LogDefect{Node: "store-1", Line: 1, What: evidence.LogRace, Text: "WARNING: DATA RACE"}, panicked,
			evidence.LogDefect{Node: "app-1", Line: 9, What: evidence.LogFatal, Text: "fatal error: all goroutines are asleep"}),
			check.Fail, "1 data race, 1 fatal error, 1 panic in the logs; the first, logs/app-1.log line 9"},
		{"a long report", panics, "", logs(evidence.LogDefect{Node: "app-1", Line: 1, What: evidence.LogPanic, Text: "panic: " + strings.Repeat("ü", 400)}), check.Fail, "ü ..."},
	}
}
