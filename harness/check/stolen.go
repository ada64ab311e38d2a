package check

import (
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// stolen are the times in which a hypervisor kept the machine from running, by the kernel's own account. Each is as long as the
// observer's looks tell.
type stolen []span

func readStolen(run *evidence.Run) stolen { return evidence.Derive(run, newStolen) }

func newStolen(run *evidence.Run) (all stolen) {
	from, under := time.Duration(0), false
	for o := range run.Observations() {
		switch {
		case o.Source != evidence.SourceMachine:
		case o.What == evidence.SawStolen && !under:
			from, under = o.At, true
		case o.What != evidence.SawStolen && under:
			all, under = append(all, span{from, o.At}), false
		}
	}
	if under {
		all = append(all, span{from, forever})
	}
	return merged(all)
}

// leaveOut returns the places of requests that were not under way at such a time.
func (s stolen) leaveOut(run *evidence.Run, places []int32) []int32 {
	all := readBriefs(run)
	return slices.DeleteFunc(places, func(place int32) bool {
		c := &all[place]
		next := sort.Search(len(s), func(i int) bool { return s[i].to >= c.Due })
		return next < len(s) && s[next].from <= c.End
	})
}
