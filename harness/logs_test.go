package harness

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func TestScanLog(t *testing.T) {
	const entry = `{"level":"INFO","msg":"ready"}` + "\n"
	trace := "\ngoroutine 1 [running]:\nmain.main()\n\t/main.go:3\n"
	type lines = []evidence.LogDefect
	for name, c := range map[string]struct {
		log  string
		want lines
	}{
		"nothing":   {entry + entry, nil},
		"empty":     {"", nil},
		"panic":     {entry + "panic: oops\n" + trace, lines{{Line: 2, What: evidence.LogPanic, Text: "panic: oops\n" + strings.TrimSuffix(trace, "\n")}}},
		"recovered": {`{"level":"ERROR","error":"panic: oops\ngoroutine 7"}` + "\n" + entry, lines{{Line: 1, What: evidence.LogPanic, Text: `{"level":"ERROR","error":"panic: oops\ngoroutine 7"}`}}},
		"a flight's": {`{"level":"ERROR","error":"flight panicked: oops"}` + "\n", lines{{Line: 1, What: evidence.LogPanic,
			Text: `{"level":"ERROR","error":"flight panicked: oops"}`}}},
		"recovered by net/http": {"2026/01/02 03:04:05 http: panic serving 198.18.0.9:4: oops\n" + entry,
			lines{{Line: 1, What: evidence.LogPanic, Text: "2026/01/02 03:04:05 http: panic serving 198.18.0.9:4: oops"}}},
		"fatal error":  {"fatal error: concurrent map writes\n" + entry, lines{{Line: 1, What: evidence.LogFatal, Text: "fatal error: concurrent map writes"}}},
		"a bad signal": {"SIGSEGV: segmentation violation\r\n" + entry, lines{{Line: 1, What: evidence.LogFatal, Text: "SIGSEGV: segmentation violation"}}},
		"two races": {"WARNING: DATA RACE\nWrite at 1\nWARNING: DATA RACE\nWrite at 2\n" + entry,
			lines{{Line: 1, What: evidence.LogRace, Text: "WARNING: DATA RACE\nWrite at 1"}, {Line: 3, What: evidence.LogRace, Text: "WARNING: DATA RACE\nWrite at 2"}}},
		"panic while panicking": {"panic: one\n\tpanic: two\n" + entry, lines{{Line: 1, What: evidence.LogPanic, Text: "panic: one\n\tpanic: two"}}},
		"cut in the line":       {entry + "panic: oo", lines{{Line: 2, What: evidence.LogPanic, Text: "panic: oo"}}},
		"talk of one":           {"a fatal error: said\nthe panic button\nno WARNING: DATA RACE\n", nil},
		"a very long line": {"panic: " + strings.Repeat("x", 1<<20) + "\n" + entry + "fatal error: y\n" + entry,
			lines{{Line: 1, What: evidence.LogPanic, Text: "panic: " + strings.Repeat("x", keptBytes-len("panic: "))}, {Line: 3, What: evidence.LogFatal, Text: "fatal error: y"}}},
		"a very long report": {"panic: oops\n" + strings.Repeat("at\n", 100),
			lines{{Line: 1, What: evidence.LogPanic, Text: "panic: oops" + strings.Repeat("\nat", keptLines-1)}}},
	} {
		var got lines
		if err := scanLog(strings.NewReader(c.log), "x-1", func(l evidence.LogDefect) { got = append(got, l) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range c.want {
			c.want[i].Node = "x-1"
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.want)
		}
	}
}

// TestScanLogTellsWhatItSaw before the reading failed.
func TestScanLogTellsWhatItSaw(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	err := scanLog(io.MultiReader(strings.NewReader("panic: oops\nat"), iotest.ErrReader(broken)), "x-1", func(evidence.LogDefect) { n++ })
	if !errors.Is(err, broken) || n != 1 {
		t.Errorf("%v, %d found", err, n)
	}
}
