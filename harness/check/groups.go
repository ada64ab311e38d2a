package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// groups are upstream calls by the number of their key, by arrival.
type groups struct {
	calls []*evidence.Upstream // one group behind the other
	end   []int32              // where the group of each key ends in them; it begins where the one before it ends
	order []int32              // the keys by their first call
}

// byKey groups the calls that count. A call without a key was no question.
func byKey(run *evidence.Run, counts func(place int, u *evidence.Upstream) bool) *groups {
	k := readKeys(run)
	g := &groups{end: make([]int32, k.total), order: make([]int32, 0, k.total)}
	total := int32(0)
	for i, u := range run.EachUpstream() {
		if k.call[i] == k.empty || !counts(i, u) {
			continue
		}
		if g.end[k.call[i]]++; g.end[k.call[i]] == 1 {
			g.order = append(g.order, k.call[i])
		}
		total++
	}
	at := int32(0)
	for key, size := range g.end {
		g.end[key] = at // of what it has so far
		at += size
	}
	g.calls = make([]*evidence.Upstream, total)
	for i, u := range run.EachUpstream() {
		if k.call[i] == k.empty || !counts(i, u) {
			continue
		}
		g.calls[g.end[k.call[i]]] = u
		g.end[k.call[i]]++
	}
	return g
}

func anyCall(int, *evidence.Upstream) bool { return true }

// of gives the calls of a key; there are none of a key that is none.
func (g *groups) of(key int32) []*evidence.Upstream {
	switch key {
	case none:
		return nil
	case 0:
		return g.calls[:g.end[0]]
	}
	return g.calls[g.end[key-1]:g.end[key]]
}
