package probe

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// stolenEvery is how often the kernel's account is read: it counts in hundredths of a second, so that a tenth tells little from
// nothing and leaves out few requests for it.
const stolenEvery = 100 * time.Millisecond

// procStat is where Linux accounts for the time of its processors: proc_stat(5).
const procStat = "/proc/stat"

// Stolen records when a hypervisor kept this machine, on which the harness runs, from running although it had something to do.
// Whatever runs on it is slow then, through no fault of its own. On a kernel that has no such account nothing is recorded.
func Stolen() Probe { return stolenFrom(func() ([]byte, error) { return os.ReadFile(procStat) }) }

func stolenFrom(read func() ([]byte, error)) Probe {
	return Probe{Name: "stolen", Watch: func(ctx context.Context, _ *env.Env, rec *evidence.Recorder) error {
		t := thief{read: read, rec: rec}
		if t.total, t.err = t.stolen(); t.err != nil {
			<-ctx.Done() // there is nothing to be told here
			return nil
		}
		t.looked = rec.Now()
		tick(ctx, stolenEvery, t.look)
		return t.err
	}}
}

// thief is what is known of the hypervisor.
type thief struct {
	read   func() ([]byte, error)
	rec    *evidence.Recorder
	looked time.Duration
	total  uint64
	last   string
	err    error
}

// look records what changed, as of the last look: in the time since then, or not any more.
func (t *thief) look() {
	total, err := t.stolen()
	if err != nil {
		t.err = err
		return
	}
	since, what := t.looked, evidence.SawFree
	if total > t.total {
		what = evidence.SawStolen
	}
	t.looked, t.total = t.rec.Now(), total
	if what == t.last {
		return
	}
	t.last = what
	t.rec.Observation(evidence.Observation{At: since, Source: evidence.SourceMachine, Node: evidence.SourceMachine, What: what})
}

func (t *thief) stolen() (uint64, error) {
	text, err := t.read()
	if err != nil {
		return 0, fmt.Errorf("read the account of the processors: %w", err)
	}
	return stolenTicks(text)
}

// stolenColumn is the place of the stolen time, in ticks, in the line that sums up all processors, whose name is the first.
const stolenColumn = 8

// stolenTicks reads it from the text of /proc/stat.
func stolenTicks(text []byte) (uint64, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	columns := bytes.Fields(line)
	if len(columns) <= stolenColumn || string(columns[0]) != "cpu" {
		return 0, fmt.Errorf("%s tells of no stolen time: %.80q", procStat, line)
	}
	ticks, err := strconv.ParseUint(string(columns[stolenColumn]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stolen time in %s: %w", procStat, err)
	}
	return ticks, nil
}
