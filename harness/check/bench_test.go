package check_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// large is a correct history of n requests, one per millisecond, every fourth of them a miss.
func large(n int) *history {
	h := scripted("")
	start := h.Windows[1].To + time.Second
	h.plan.Load[0].Requests += uint64(n)
	var call evidence.Upstream
	for i := range n {
		id, due := fmt.Sprintf("1-%d", 1000+i), start+time.Duration(i)*time.Millisecond
		row := evidence.Row{ID: "row-" + id, RequestID: id, Kind: evidence.RowHit, Tenant: "acme", At: due + hitTakes}
		if i%4 == 0 {
			key := fmt.Sprintf("key-large-%d", i)
			call = evidence.Upstream{ID: fmt.Sprintf("llm-large-%d", i), RequestID: id, Tenant: "acme", Key: key, N: 1, Caller: "gateway-1",
				Arrived: due, Ended: due + 900*time.Microsecond, Outcome: evidence.UpstreamOK, Cost: 3, Billed: true}
			h.Upstream = append(h.Upstream, call)
			row.Kind, row.Cost = evidence.RowCall, call.Cost
		}
		row.Key, row.CallID = call.Key, call.ID
		h.Rows = append(h.Rows, row)
		h.Hops = append(h.Hops, evidence.Hop{RequestID: id, Server: "gateway-1", At: due, End: due + hitTakes, Status: 200, Termination: "--"})
		h.Calls = append(h.Calls, evidence.Call{Seq: uint64(len(h.Calls)), ID: id, Tenant: "acme", Key: call.Key, Due: due, Sent: due, End: due + hitTakes,
			Conns: 1, Status: 200, Outcome: evidence.OK, Answer: evidence.Answer{CallID: call.ID, Tenant: "acme", Key: call.Key}})
	}
	return h
}

func BenchmarkAllChecks(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := large(n)
			run, checks := h.run(), []check.Check{check.EvidenceComplete(), check.HealthyBefore(), check.LoadKeptSchedule(), check.NoUnplannedDeath(),
				check.NothingDropped(), check.OncePerKey(), check.RightAnswer(), check.NoHiddenRetries(), check.Accounting(counters()), check.SawHitsAndMisses()}
			b.ReportAllocs()
			for b.Loop() {
				for _, c := range checks {
					if v := c.Judge(run); v.Status != check.Pass {
						b.Fatalf("%s: %s", v.Check, v.Reason)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/request")
		})
	}
}
