package cli

import (
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

// progress shows a run to a person: plain lines, and on a terminal one live line of counts below them.
type progress struct {
	w    io.Writer
	live bool

	mu     sync.Mutex
	began  time.Time
	counts map[evidence.Outcome]int
	drawn  time.Time
}

func newProgress(w io.Writer, live bool) *progress {
	return &progress{w: w, live: live, began: time.Now(), counts: map[evidence.Outcome]int{}}
}

func (p *progress) begin(title, claim string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = time.Now()
	p.counts = map[evidence.Outcome]int{}
	fmt.Fprintf(p.w, "%s\n    %s\n", title, claim)
}

// logf writes one line, with the seconds since the scenario began.
func (p *progress) logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "  %6.1fs  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// call counts a finished request.
func (p *progress) call(c evidence.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[c.Outcome]++
	if now := time.Now(); p.live && now.Sub(p.drawn) >= redrawEvery {
		p.drawn = now
		p.clear()
		fmt.Fprintf(p.w, "  %6.1fs  %s", now.Sub(p.began).Seconds(), p.tally())
	}
}

func (p *progress) clear() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) tally() string {
	var parts []string
	for _, o := range evidence.Outcomes() {
		if n := p.counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return strings.Join(parts, ", ")
}

// end shows how the scenario came out and returns the exit code that it asks for.
func (p *progress) end(j check.Judgement, err error) int {
	code := ExitPass
	if err != nil {
		p.logf("%s", oneLine(err))
		code = exitCode(err)
	}
	if len(j.Checks) == 0 { // nothing was judged
		return code
	}
	p.logf("requests: %s", p.tally())
	p.mu.Lock()
	defer p.mu.Unlock()
	printJudgement(p.w, "", j)
	return worse(code, statusCode(j.Status))
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
