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

// cpuUseEvery is how often the kernel's account is read: it counts in hundredths of a second, and to find what belongs to the run
// takes some milliseconds.
const cpuUseEvery = time.Second

// CPUUse records how much CPU time was used on this machine, on which the harness runs, and how much of it for the run. What is left was
// used by others. Where the kernel has no such account, or the driver does not know what its run uses, nothing is recorded.
func CPUUse() Probe { return cpuUseFrom(func() ([]byte, error) { return os.ReadFile(procStat) }) }

func cpuUseFrom(read func() ([]byte, error)) Probe {
	return Probe{Name: "cpu-use", Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
		driver, err := env.CPUTime.Use(e)
		if err != nil {
			<-ctx.Done() // there is nothing to be told here
			return nil
		}
		var last *cpuLook
		tick(ctx, cpuUseEvery, func() {
			one, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			now, err := lookAtCPU(one, read, driver, rec)
			if err != nil {
				return // the next look tells of a longer stretch
			}
			if last != nil {
				evidence.CPUUses.Put(rec, now.since(*last))
			}
			last = &now
		})
		return nil
	}}
}

// cpuLook is what was used in all. The machine's account is read before and after the run's, which takes a while where others keep the
// processors busy. So of two looks it is known what the machine used in between, and what the run used then and a little longer.
type cpuLook struct {
	before, after machineUse
	run           time.Duration
}

// machineUse is what all processes of a machine had used at a moment.
type machineUse struct {
	at    time.Duration
	ticks uint64
	cores int
}

func lookAtCPU(ctx context.Context, read func() ([]byte, error), driver env.CPUAccountant, rec *evidence.Recorder) (l cpuLook, err error) {
	if l.before, err = lookAtMachine(read, rec); err != nil {
		return l, err
	}
	if l.run, err = driver.CPUTime(ctx); err != nil {
		return l, err
	}
	l.after, err = lookAtMachine(read, rec)
	return l, err
}

func lookAtMachine(read func() ([]byte, error), rec *evidence.Recorder) (machineUse, error) {
	text, err := read()
	if err != nil {
		return machineUse{}, fmt.Errorf("read the account of the processors: %w", err)
	}
	u, err := readMachineUse(text)
	u.at = rec.Now()
	return u, err
}

// since is what was used between two looks.
func (l cpuLook) since(last cpuLook) evidence.CPUUse {
	return evidence.CPUUse{At: l.before.at, Took: l.before.at - last.after.at, Cores: l.before.cores,
		Busy: time.Duration(l.before.ticks-last.after.ticks) * cpuTick, Run: l.run - last.run}
}

const (
	// cpuTick is the unit of /proc/stat: USER_HZ is 100 on every architecture that counts.
	cpuTick = 10 * time.Millisecond
	// processColumns are those of the CPU times of processes, after the name: user, nice and system. Guests' are part of the first two.
	processColumns = 3
)

// readMachineUse reads the text of /proc/stat: a line that sums up all processors, and one for each of them.
func readMachineUse(text []byte) (u machineUse, err error) {
	for line := range bytes.Lines(text) {
		columns := bytes.Fields(line)
		switch {
		case len(columns) <= processColumns || !bytes.HasPrefix(columns[0], []byte("cpu")):
		case string(columns[0]) != "cpu":
			u.cores++
		default:
			for _, c := range columns[1 : 1+processColumns] {
				n, err := strconv.ParseUint(string(c), 10, 64)
				if err != nil {
					return u, fmt.Errorf("CPU times in %s: %w", procStat, err)
				}
				u.ticks += n
			}
		}
	}
	if u.cores == 0 {
		return u, fmt.Errorf("%s names no processor: %.80q", procStat, text)
	}
	return u, nil
}
