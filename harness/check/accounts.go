package check

import (
	"fmt"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Metrics of what a process holds, as Prometheus clients export them.
const (
	metricResident    = "process_resident_memory_bytes"
	metricDescriptors = "process_open_fds"
)

const (
	// accountNear is how far from a scrape an account of the kernel may be to be compared with it. What a process holds changes meanwhile:
	// a scrape may say whatever lies between the accounts before and after it.
	accountNear = time.Second
	// accountShare is by which share of it the process's word may miss that, for changes between two accounts.
	accountShare = 0.2
	// slackResident, in bytes, and slackDescriptors are what it may miss in any case: a heap grows by as much at once, and a burst opens as
	// many connections.
	slackResident, slackDescriptors = 8 << 20, 10
	// accountOff is the share of scrapes of which that need not hold.
	accountOff = 0.1
	// fewAccounts are too few scrapes for such a share to mean something.
	fewAccounts = 20
)

// AccountsAgree: what the processes of the service say that they hold is what the kernel says: of memory that is resident and of open
// file descriptors no less and no more, and of connections, which metrics of these names count by labels, no more than there are
// sockets. In nine of ten scrapes it lies between the kernel's accounts of a second before and a second after, within a fifth, or 8 MiB
// and 10 descriptors. Unknown if a node does not export one of them, or was not compared twenty times: only some drivers can ask the
// kernel.
func AccountsAgree(connections ...string) Check {
	return New("AccountsAgree", func(r *Run) (Verdict, error) {
		nodes, err := r.NeedSubjects()
		if err != nil {
			return Verdict{}, err
		}
		a := accounts{byNode: map[string][]evidence.Account{}, figures: map[string]float64{}}
		for _, k := range evidence.Accounts.Each(r.Run) {
			a.byNode[k.Node] = append(a.byNode[k.Node], *k)
		}
		for _, p := range Replicas(r.Run) {
			a.judge(&p, held{metricResident, exactly(metricResident), func(k evidence.Account) float64 { return float64(k.Resident) }, slackResident, false})
			a.judge(&p, held{metricDescriptors, exactly(metricDescriptors), func(k evidence.Account) float64 { return float64(k.Descriptors) }, slackDescriptors, false})
			for _, name := range connections {
				a.judge(&p, held{name, summed(name), func(k evidence.Account) float64 { return float64(k.Sockets) }, slackDescriptors, true})
			}
		}
		return a.verdict(a.figures, "what %d nodes say that they hold is what the kernel says", len(nodes))
	})
}

// held is something that a process holds.
type held struct {
	name   string
	said   func(evidence.Sample) (float64, bool) // by the process, if it exports it
	known  func(evidence.Account) float64        // to the kernel
	slack  float64
	atMost bool // the kernel counts others with it
}

// exactly reads one metric.
func exactly(name string) func(evidence.Sample) (float64, bool) {
	return func(s evidence.Sample) (v float64, exported bool) {
		v, exported = s.Values[name]
		return v, exported
	}
}

// summed sums up a metric over its labels.
func summed(name string) func(evidence.Sample) (float64, bool) {
	return func(s evidence.Sample) (sum float64, exported bool) {
		for series, v := range s.Values {
			if baseName(series) == name {
				sum, exported = sum+v, true
			}
		}
		return sum, exported
	}
}

// accounts gathers the findings over all nodes.
type accounts struct {
	finding
	byNode  map[string][]evidence.Account // by time
	figures map[string]float64
}

func (a *accounts) judge(p *Replica, h held) {
	compared, off, first := 0, 0, ""
	for _, s := range p.Samples {
		if s.Error != "" {
			continue
		}
		said, exported := h.said(s)
		if !exported {
			a.doubts("%s does not export %s", p.Name, h.name)
			return
		}
		least, most, known := a.around(p.Name, s, h.known)
		if !known {
			continue
		}
		compared++
		slack := max(h.slack, accountShare*most)
		if said > most+slack || said < least-slack && !h.atMost {
			if off++; off == 1 {
				first = fmt.Sprintf("%.0f at %.1f s, where the kernel had %.0f to %.0f", said, s.At.Seconds(), least, most)
			}
		}
	}
	a.figures[h.name+"_compared"] += float64(compared)
	a.figures[h.name+"_off"] += float64(off)
	switch {
	case compared < fewAccounts:
		a.doubts("%s of %s was compared with the kernel's account in %d scrapes; %d are wanted", h.name, p.Name, compared, fewAccounts)
	case float64(off) > accountOff*float64(compared):
		a.breaks("%s of %s was not what the kernel says in %d of %d scrapes (the first: %s)", h.name, p.Name, off, compared, first)
	}
}

// around is between which values the kernel's accounts of a node are from a second before a scrape to a second after it, and whether
// there are some before and after.
func (a *accounts) around(node string, s evidence.Sample, of func(evidence.Account) float64) (least, most float64, known bool) {
	all := a.byNode[node]
	end := s.At + s.Took
	first := sort.Search(len(all), func(i int) bool { return all[i].At >= s.At-accountNear })
	before, after := false, false
	for i := first; i < len(all) && all[i].At <= end+accountNear; i++ {
		v := of(all[i])
		if i == first {
			least, most = v, v
		}
		least, most = min(least, v), max(most, v)
		before, after = before || all[i].At <= s.At, after || all[i].At >= end
	}
	return least, most, before && after
}
