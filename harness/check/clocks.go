package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// clockLimit is by how much wall clocks may be off. It is a fifth of the least that checks leave for two clocks to differ by, 50 ms,
// so that what they leave it for remains: notes that are made late.
const clockLimit = 10 * time.Millisecond

// ClocksAgree: the wall clocks of the harness, and of the nodes that were asked, kept to within 10 ms of the clock of the run. A
// step, of a clock that is set or of a machine that was suspended, is an offset from then on. It is Unknown otherwise, and if nobody
// compared any: an offset is never the service's.
func ClocksAgree() Check {
	return New("ClocksAgree", func(r *Run) (Verdict, error) {
		c := evidence.Derive(r.Run, newClocks)
		v := Verdict{Figures: map[string]float64{"compared": float64(c.compared), "offset_max_ms": Milliseconds(c.most)}}
		if c.err != nil {
			return v, c.err
		}
		return Passf(v.Figures, "the clocks of %s agree: the largest offset is %.1f ms", c.of, Milliseconds(c.most)), nil
	})
}

// NeedClocks says why moments that the harness noted may not be compared with moments that nodes noted, by their wall clocks or
// by that of their engine; nil if they may. It is a precondition of checks: see NewTimed.
func NeedClocks(run *evidence.Run) error { return evidence.Derive(run, newClocks).err }

// NewTimed makes a check like New that compares moments of the harness with moments of nodes: it is Unknown unless their clocks
// agree. A pass would prove as little as a fail, because an offset hides what came too early or too late.
func NewTimed(name string, of func(*Run) (Verdict, error)) Check {
	return New(name, func(r *Run) (Verdict, error) {
		if err := NeedClocks(r.Run); err != nil {
			return Verdict{}, err
		}
		return of(r)
	})
}

// clocks are what the comparisons of clocks say.
type clocks struct {
	compared int
	of       string        // whose clocks
	most     time.Duration // largest offset, whatever its bound of error
	err      error         // why they do not agree, or need not; nil if they do
}

func newClocks(run *evidence.Run) (c clocks) {
	least := map[string]time.Duration{} // bound of error, by node
	for _, k := range evidence.Clocks.Each(run) {
		c.compared++
		c.most = max(c.most, k.Offset.Abs())
		bound, known := least[k.Node]
		if !known || k.Error < bound {
			least[k.Node] = k.Error
		}
		if c.err == nil && k.Offset.Abs()-k.Error > clockLimit {
			c.err = disagreement(k)
		}
	}
	names := slices.Sorted(maps.Keys(least))
	c.of = fmt.Sprint(names)
	if _, looked := least[evidence.ClockHarness]; !looked {
		c.err = errors.New("nobody compared the clocks of harness and nodes")
	}
	for _, name := range names {
		if c.err == nil && least[name] > clockLimit {
			c.err = fmt.Errorf("the offset of the clock of %s is known to within %.0f ms only", name, Milliseconds(least[name]))
		}
	}
	return c
}

// disagreement tells the first moment at which the clock was seen to be off.
func disagreement(k *evidence.Clock) error {
	way := "ahead of"
	if k.Offset < 0 {
		way = "behind"
	}
	return fmt.Errorf("two clocks disagree: at %.1f s the wall clock of %s was %.1f ms %s the clock of the run, give or take %.1f ms",
		k.At.Seconds(), k.Node, Milliseconds(k.Offset.Abs()), way, Milliseconds(k.Error))
}
