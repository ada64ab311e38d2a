package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"golang.org/x/term"
)

// redrawEvery is how often the live line changes: often enough to look alive.
const redrawEvery = 200 * time.Millisecond

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// progress shows scenarios to a person, one after another: plain lines, and on a terminal one live line of counts below them.
type progress struct {
	w     io.Writer
	live  bool
	began time.Time

	mu      sync.Mutex
	entries []*entry // those that are still to be shown to their end; only the first is on show
}

// entry is one scenario's progress. What it has to tell before those ahead of it have ended is kept until then.
type entry struct {
	*progress
	began  time.Time
	ended  bool
	kept   bytes.Buffer
	counts map[evidence.Outcome]int
	drawn  time.Time
}

func newProgress(w io.Writer, live bool) *progress {
	return &progress{w: w, live: live, began: time.Now()}
}

// logf writes one line about no scenario, with the seconds since everything began.
func (p *progress) logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	writeLine(p.w, p.began, format, args...)
}

func writeLine(w io.Writer, began time.Time, format string, args ...any) {
	fmt.Fprintf(w, "  %6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

func (p *progress) begin(title, claim string) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &entry{progress: p, began: time.Now(), counts: map[evidence.Outcome]int{}}
	p.entries = append(p.entries, e)
	fmt.Fprintf(e.out(), "%s\n    %s\n", title, claim)
	return e
}

func (e *entry) display() Display { return Display{Logf: e.logf, OnRequest: e.request} }

// onShow is also true of what comes from a scenario that has ended.
func (e *entry) onShow() bool { return e.ended || e.entries[0] == e }

func (e *entry) out() io.Writer {
	if e.onShow() {
		return e.w
	}
	return &e.kept
}

// logf writes one line, with the seconds since the scenario began.
func (e *entry) logf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.line(format, args...)
}

func (e *entry) line(format string, args ...any) {
	e.clear()
	writeLine(e.out(), e.began, format, args...)
}

// request counts a finished request.
func (e *entry) request(r evidence.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts[r.Outcome]++
	if now := time.Now(); e.live && e.onShow() && now.Sub(e.drawn) >= redrawEvery {
		e.drawn = now
		e.clear()
		fmt.Fprintf(e.w, "  %6.1fs  %s", now.Sub(e.began).Seconds(), e.tally())
	}
}

func (e *entry) clear() {
	if e.live && e.onShow() {
		fmt.Fprint(e.w, "\r\x1b[K")
	}
}

func (e *entry) tally() string {
	var parts []string
	for _, o := range evidence.Outcomes() {
		if n := e.counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return strings.Join(parts, ", ")
}

// end shows how the scenario came out, and below it the line last, if there is one. The next one is on show then.
func (e *entry) end(j check.Judgement, err error, last string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.leave()
	if err != nil {
		e.line("%s", check.OneLine(err.Error()))
	}
	if len(j.Checks) > 0 { // else nothing was judged
		e.line("requests: %s", e.tally())
		printJudgement(e.out(), "", j)
	}
	if last != "" {
		e.line("%s", last)
	}
}

// leave makes room for those behind, and shows what they have to tell.
func (e *entry) leave() {
	e.ended = true
	for len(e.entries) > 0 && e.entries[0].ended {
		e.entries = e.entries[1:]
		if len(e.entries) > 0 {
			e.entries[0].kept.WriteTo(e.w)
		}
	}
}

// words are how people read the statuses.
func words(s check.Status) string {
	switch s {
	case check.Pass:
		return "PASS"
	case check.Fail:
		return "FAIL"
	default:
		return "INCONCLUSIVE"
	}
}

// printJudgement lists what was found; of what passed, only the claims.
func printJudgement(w io.Writer, name string, j check.Judgement) {
	for _, v := range j.Checks {
		fmt.Fprintf(w, "    %-12s %s: %s\n", words(v.Status), v.Check, v.Reason)
	}
	for _, group := range [][]check.Verdict{j.Assumptions, j.Sometimes} {
		for _, v := range group {
			if v.Status != check.Pass {
				fmt.Fprintf(w, "    %-12s %s: %s\n", words(v.Status), v.Check, v.Reason)
			}
		}
	}
	for _, f := range j.Faults {
		if !f.Confirmed {
			fmt.Fprintf(w, "    %-12s fault %s: not confirmed: %s\n", words(check.Unknown), f.Name, f.Missing)
		}
	}
	fmt.Fprintf(w, "  %s\n", strings.TrimSpace(words(j.Status)+" "+name+" - "+j.Reason))
}
