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

// mostLeftOut is the share of requests that a comparison may leave out: what is left must be most of them.
const mostLeftOut = 0.5

// undisturbed are requests by their places, but for those that a hypervisor may have delayed.
type undisturbed struct {
	places  []int32
	leftOut int
}

// undisturbedOf are those of which is says yes.
func undisturbedOf(run *evidence.Run, is func(int, *brief) bool) (u undisturbed) {
	var all []int32
	for i, c := range eachBrief(run) {
		if is(i, c) {
			all = append(all, int32(i))
		}
	}
	u.leftOut = len(all)
	u.places = readStolen(run).leaveOut(run, all)
	u.leftOut -= len(u.places)
	return u
}

// tooMany says whether what was left out is most of it.
func (u undisturbed) tooMany() bool {
	return float64(u.leftOut) > mostLeftOut*float64(u.leftOut+len(u.places))
}
