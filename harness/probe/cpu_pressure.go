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

// pressureFile is where Linux accounts for the time in which some task waited for a processor: its pressure stall information.
const pressureFile = "/proc/pressure/cpu"

// pressureEvery is how often it is read: a service's own bursts last for less.
const pressureEvery = time.Second

// starvedShare is the share of an interval in which some task waited, from which on the machine was starved in it. On two cores
// that everything had to wait for it was 0.85 to 1, mostly above 0.9.
const starvedShare = 0.9

// CPUPressure records when this machine, on which the harness runs, had too little CPU time for what ran on it. On a kernel that has no such
// account nothing is recorded.
func CPUPressure() Probe {
	return cpuPressureFrom(func() ([]byte, error) { return os.ReadFile(pressureFile) })
}

func cpuPressureFrom(read func() ([]byte, error)) Probe {
	return Probe{Name: "cpu-pressure", Watch: func(ctx context.Context, _ *env.Env, rec *evidence.Recorder) error {
		waited, err := waitedForCPU(read)
		if err != nil {
			<-ctx.Done() // there is nothing to be told here
			return nil
		}
		looked, last, failed := rec.Now(), "", error(nil)
		tick(ctx, pressureEvery, func() {
			now, err := waitedForCPU(read)
			if err != nil {
				failed = err
				return
			}
			since, took := looked, rec.Now()-looked
			if took <= 0 {
				return
			}
			what := evidence.SawFree
			if float64(now-waited) >= starvedShare*float64(took) {
				what = evidence.SawStarved
			}
			looked, waited = since+took, now
			if what != last {
				last = what
				evidence.Observations.Put(rec, evidence.Observation{At: since, Source: evidence.SourcePressure, Node: evidence.SourceMachine, What: what})
			}
		})
		return failed
	}}
}

// waitedForCPU is for how long some task waited for a processor, since the machine started.
func waitedForCPU(read func() ([]byte, error)) (time.Duration, error) {
	text, err := read()
	if err != nil {
		return 0, fmt.Errorf("read the pressure on the processors: %w", err)
	}
	return pressureTotal(text)
}

// pressureTotal reads it from the text of the file, whose first line ends with it, in microseconds.
func pressureTotal(text []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	_, total, found := bytes.Cut(line, []byte(" total="))
	if !found || !bytes.HasPrefix(line, []byte("some ")) {
		return 0, fmt.Errorf("%s has no total: %.80q", pressureFile, line)
	}
	n, err := strconv.ParseInt(string(total), 10, 64)
	if err != nil || n < 0 || n > int64((1<<63-1)/time.Microsecond) {
		return 0, fmt.Errorf("total in %s: %.80q", pressureFile, line)
	}
	return time.Duration(n) * time.Microsecond, nil
}
