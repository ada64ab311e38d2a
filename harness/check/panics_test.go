package check_test

import (
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// panicCases are about what logs report.
func panicCases() []verdictCase {
	logs := func(lines ...evidence.LogLine) func(*history) {
		return func(h *history) { h.looked(evidence.ProbeLogs); h.LogLines = lines }
	}
	panicked := evidence.LogLine{Node: "gateway-2", Line: 7, What: evidence.LogPanic, Text: "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:"}
	return []verdictCase{
		{"clean logs", check.NoPanics(), "", logs(), check.Pass, "no log reports"},
		{"not read", check.NoPanics(), "", func(*history) {}, check.Unknown, "nobody read the logs"},
		{"panicked", check.NoPanics(), "", logs(panicked), check.Fail, "1 panic in the logs; the first, logs/gateway-2.log line 7: panic: assignment to entry in nil map goroutine 1 [running]:"},
		{"panicked, seen although the reading failed later", check.NoPanics(), "", func(h *history) { h.LogLines = []evidence.LogLine{panicked} }, check.Fail, "1 panic"},
		{"several", check.NoPanics(), "", logs(evidence.LogLine{Node: "llm-1", Line: 1, What: evidence.LogRace, Text: "WARNING: DATA RACE"}, panicked,
			evidence.LogLine{Node: "gateway-1", Line: 9, What: evidence.LogFatal, Text: "fatal error: all goroutines are asleep"}),
			check.Fail, "1 data race, 1 fatal error, 1 panic in the logs; the first, logs/gateway-1.log line 9"},
		{"a long report", check.NoPanics(), "", logs(evidence.LogLine{Node: "llm-1", Line: 1, What: evidence.LogPanic, Text: "panic: " + strings.Repeat("ü", 400)}), check.Fail, "ü ..."},
	}
}
