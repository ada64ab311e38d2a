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

// stealEvery is how often the kernel's account is read: it counts in hundredths of a second, so that a tenth tells little from
// nothing and leaves out few requests for it.
const stealEvery = 100 * time.Millisecond

// procStat is where Linux accounts for the time of its processors: proc_stat(5).
const procStat = "/proc/stat"

// CPUSteal records when a hypervisor kept this machine, on which the harness runs, from running although it had something to do:
// CPU steal time. Whatever runs on it is slow then, through no fault of its own. On a kernel that has no such account nothing is recorded.
func CPUSteal() Probe { return cpuStealFrom(func() ([]byte, error) { return os.ReadFile(procStat) }) }

func cpuStealFrom(read func() ([]byte, error)) Probe {
	return Probe{Name: "cpu-steal", Watch: func(ctx context.Context, _ *env.Env, rec *evidence.Recorder) error {
		t := stealWatch{read: read, rec: rec}
		if t.total, t.err = t.ticks(); t.err != nil {
			<-ctx.Done() // there is nothing to be told here
			return nil
		}
		t.looked = rec.Now()
		tick(ctx, stealEvery, t.look)
		return t.err
	}}
}

// stealWatch is what is known of the time that the hypervisor took (CPU steal time).
type stealWatch struct {
	read   func() ([]byte, error)
	rec    *evidence.Recorder
	looked time.Duration
	total  uint64
	last   string
	err    error
}

// look records what changed, as of the last look: in the time since then, or not any more.
func (t *stealWatch) look() {
	total, err := t.ticks()
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
	evidence.Observations.Put(t.rec, evidence.Observation{At: since, Source: evidence.SourceMachine, Node: evidence.SourceMachine, What: what})
}

func (t *stealWatch) ticks() (uint64, error) {
	text, err := t.read()
	if err != nil {
		return 0, fmt.Errorf("read the account of the processors: %w", err)
	}
	return stealTicks(text)
}

// stealColumn is the place of the CPU steal time, in ticks, in the line that sums up all processors, whose name is the first.
const stealColumn = 8

// stealTicks reads it from the text of /proc/stat.
func stealTicks(text []byte) (uint64, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	columns := bytes.Fields(line)
	if len(columns) <= stealColumn || string(columns[0]) != "cpu" {
		return 0, fmt.Errorf("%s has no CPU steal time: %.80q", procStat, line)
	}
	ticks, err := strconv.ParseUint(string(columns[stealColumn]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("CPU steal time in %s: %w", procStat, err)
	}
	return ticks, nil
}
