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

	mu   sync.Mutex
	acts []*act // those that are still to be shown to their end; only the first is on show
}

// act is one scenario's progress. What it has to tell before those ahead of it have ended is kept until then.
type act struct {
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

func (p *progress) begin(title, claim string) *act {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &act{progress: p, began: time.Now(), counts: map[evidence.Outcome]int{}}
	p.acts = append(p.acts, a)
	fmt.Fprintf(a.out(), "%s\n    %s\n", title, claim)
	return a
}

func (a *act) display() Display { return Display{Logf: a.logf, OnCall: a.call} }

// onShow is also true of what comes from a scenario that has ended.
func (a *act) onShow() bool { return a.ended || a.acts[0] == a }

func (a *act) out() io.Writer {
	if a.onShow() {
		return a.w
	}
	return &a.kept
}

// logf writes one line, with the seconds since the scenario began.
func (a *act) logf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.line(format, args...)
}

func (a *act) line(format string, args ...any) {
	a.clear()
	writeLine(a.out(), a.began, format, args...)
}

// call counts a finished request.
func (a *act) call(c evidence.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[c.Outcome]++
	if now := time.Now(); a.live && a.onShow() && now.Sub(a.drawn) >= redrawEvery {
		a.drawn = now
		a.clear()
		fmt.Fprintf(a.w, "  %6.1fs  %s", now.Sub(a.began).Seconds(), a.tally())
	}
}

func (a *act) clear() {
	if a.live && a.onShow() {
		fmt.Fprint(a.w, "\r\x1b[K")
	}
}

func (a *act) tally() string {
	var parts []string
	for _, o := range evidence.Outcomes() {
		if n := a.counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return strings.Join(parts, ", ")
}

// end shows how the scenario came out and returns the exit code that it asks for. The next one is on show then.
func (a *act) end(j check.Judgement, err error) (code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.leave()
	if err != nil {
		a.line("%s", oneLine(err))
		code = exitCode(err)
	}
	if len(j.Checks) == 0 { // nothing was judged
		return code
	}
	a.line("requests: %s", a.tally())
	printJudgement(a.out(), "", j)
	return worse(code, statusCode(j.Status))
}

// leave makes room for those behind, and shows what they have to tell.
func (a *act) leave() {
	a.ended = true
	for len(a.acts) > 0 && a.acts[0].ended {
		a.acts = a.acts[1:]
		if len(a.acts) > 0 {
			a.acts[0].kept.WriteTo(a.w)
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
		if !f.Certified {
			fmt.Fprintf(w, "    %-12s fault %s: not certified: %s\n", words(check.Unknown), f.Fault, f.Missing)
		}
	}
	fmt.Fprintf(w, "  %s\n", strings.TrimSpace(words(j.Status)+" "+name+" - "+j.Reason))
}
