package check_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	resident    = "process_resident_memory_bytes"
	descriptors = "process_open_fds"
	mebibyte    = 1 << 20
)

// accounted has the kernel account for what the replicas hold, four times a second: 40 MiB, and 25 descriptors of which 20 are sockets.
func accounted(h *history) {
	h.sampleOn(4 * time.Second)
	for i := range h.samples {
		if s := &h.samples[i]; s.Error == "" {
			s.Values[resident] = 40 * mebibyte
		}
	}
	for at := 8500 * time.Millisecond; at < lastSeen(h)+time.Second; at += 250 * time.Millisecond {
		for r := 1; r <= 3; r++ {
			h.accounts = append(h.accounts, evidence.Account{At: at, Node: node(r), Resident: 40 * mebibyte, Descriptors: 25, Sockets: 20})
		}
	}
}

func accountsCases() []verdictCase {
	agree := check.AccountsAgree("pool_connections")
	// says has app-1 say something else, in the scrapes from a moment on, of which there are five a second.
	says := func(name string, v float64, from, to time.Duration) func(*history) {
		return both(accounted, samples("app-1", from, func(s *evidence.Sample) {
			if s.At < to {
				s.Values[name] = v
			}
		}))
	}
	always := func(name string, v float64) func(*history) { return says(name, v, 0, evidence.Forever) }
	knows := func(alter func(*evidence.Account)) func(*history) {
		return both(accounted, func(h *history) {
			for i := range h.accounts {
				if h.accounts[i].Node == "app-1" {
					alter(&h.accounts[i])
				}
			}
		})
	}
	return []verdictCase{
		{"as the kernel says", agree, "", accounted, check.Pass, "what 3 nodes say"},
		{"as the kernel says, with an end and a new start", agree, evidence.FaultTerm, accounted, check.Pass, ""},
		{"less memory", agree, "", always(resident, 31*mebibyte), check.Fail, resident + " of app-1 was not what the kernel says"},
		{"more memory", agree, "", always(resident, 49*mebibyte), check.Fail, resident + " of app-1"},
		{"a little less memory", agree, "", always(resident, 33*mebibyte), check.Pass, ""},
		{"more memory for a moment", agree, "", says(resident, 80*mebibyte, 10*time.Second, 10600*time.Millisecond), check.Pass, ""},
		{"fewer descriptors", agree, "", always(descriptors, 14), check.Fail, descriptors + " of app-1"},
		{"more descriptors", agree, "", always(descriptors, 36), check.Fail, descriptors + " of app-1"},
		{"more connections than sockets", agree, "", always(`pool_connections{state="idle"}`, 31), check.Fail, "pool_connections of app-1"},
		{"fewer connections than sockets", agree, "", always(`pool_connections{state="idle"}`, 0), check.Pass, ""},
		{"it changes, and so does the process's word", agree, "", both(knows(func(a *evidence.Account) {
			if a.At > 12*time.Second {
				a.Descriptors = 90
			}
		}), samples("app-1", 12*time.Second, func(s *evidence.Sample) { s.Values[descriptors] = 90 })), check.Pass, ""},
		{"nobody asked the kernel", agree, "", both(accounted, func(h *history) { h.accounts = nil }), check.Unknown, "in 0 scrapes"},
		{"nobody asked the kernel of one", agree, "", both(accounted, func(h *history) {
			h.accounts = slices.DeleteFunc(h.accounts, func(a evidence.Account) bool { return a.Node == "app-3" })
		}), check.Unknown, "of app-3 was compared with the kernel's account in 0 scrapes"},
		{"not exported", agree, "", both(accounted, samples("app-1", 0, func(s *evidence.Sample) { delete(s.Values, descriptors) })), check.Unknown, "does not export " + descriptors},
		{"no connections exported", agree, "", both(accounted, samples("app-1", 0, func(s *evidence.Sample) {
			maps.DeleteFunc(s.Values, func(name string, _ float64) bool { return strings.HasPrefix(name, "pool_") })
		})), check.Unknown, "does not export pool_connections"},
		{"no nodes", agree, "", both(accounted, func(h *history) { h.nodes = nil }), check.Unknown, "no node of the service"},
	}
}
