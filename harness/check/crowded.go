package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Seen on two cores: of 40 s of load, 36 s in which others took nothing, by an account that gives the run a tenth of the machine too much.
// Beside two busy loops, and tests that others ran there at times, they took 19 to 63 %, but for 5 s of 90 in which a look waited for a
// processor itself.
const (
	// crowdedShare is the share of the machine's CPU time that others took in a second, from which on it was crowded in it.
	crowdedShare = 0.15
	// crowdBridged is how long they may seem to be gone, and were not: two looks. One that waits for a processor itself counts nothing
	// as theirs of what the machine did meanwhile, and a node that ends may have used less than it is taken to have.
	crowdBridged = 3 * time.Second
	// crowdLeast is how long a stretch must be to tell anything: a look that comes right after one that was late counts a hundredth of a
	// second, which is all of its time.
	crowdLeast = 500 * time.Millisecond
)

// crowd are the times of the load in which programs that have no part in the run took much of the machine's CPU time, by the kernel's
// account, ascending. A service that wastes CPU time is no crowd: what its nodes use is the run's. Once the load is over, the session sets
// up its next run beside this one. That would excuse every run but the last.
type crowd []crowded

// crowded is such a time, and the share that they took.
type crowded struct {
	evidence.Span
	share float64
}

func newCrowd(run *evidence.Run) (all crowd) {
	for _, u := range evidence.CPUUses.Each(run) {
		share, span := u.OthersShare(), u.Span()
		if share < crowdedShare || u.Took < crowdLeast {
			continue
		}
		if n := len(all); n > 0 {
			last := all[n-1]
			if gap := (evidence.Span{From: last.To, To: span.From}); gap.From < gap.To && gap.To-gap.From <= crowdBridged {
				all = append(all, crowded{gap, min(last.share, share)})
			}
		}
		all = append(all, crowded{span, share})
	}
	if load, ok := run.Window(evidence.PhaseLoad); ok {
		return all.within(load.Span())
	}
	return all
}

// within is the part of it that lies in the span.
func (c crowd) within(span evidence.Span) (part crowd) {
	for _, one := range c {
		if both := (evidence.Span{From: max(one.From, span.From), To: min(one.To, span.To)}); both.From < both.To {
			part = append(part, crowded{both, one.share})
		}
	}
	return part
}

// lasted is how long it lasted.
func (c crowd) lasted() (sum time.Duration) {
	for _, one := range c {
		sum += one.To - one.From
	}
	return sum
}

// String says it in words.
func (c crowd) String() string {
	lasted, taken := c.lasted(), 0.0
	for _, one := range c {
		taken += one.share * float64(one.To-one.From)
	}
	return fmt.Sprintf("other programs used %.0f %% of this machine's CPU time for %.1f s", 100*taken/float64(lasted), lasted.Seconds())
}
