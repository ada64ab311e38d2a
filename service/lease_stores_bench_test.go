package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/postgres"
	"github.com/sentinel-chaos/sentinel/service/rediskv"
)

// instant is an upstream that takes no time, so that a miss costs what the lease stores cost.
type instant struct{}

func (instant) Complete(_ context.Context, r service.Request) (service.Answer, error) {
	return service.Answer{CallID: r.ID, Text: "answer", Model: r.Query.Model, PromptTokens: 10, CompletionTokens: 20, Cost: 15_000}, nil
}

// BenchmarkSecondLeaseStore is what PostgreSQL adds to a miss that Redis alone would have been enough for, with everything
// up: one miss with both lease stores and one with Redis alone, in turns. It is two commits, the claim and its settlement; how
// long one commit of a row takes is measured beside it. Redis is a master with one replica, which WAIT waits
// for. PostgreSQL is a primary whose commits wait for its own disk and for that of its synchronous standby (fsync and
// synchronous_commit on).
func BenchmarkSecondLeaseStore(b *testing.B) {
	redis, dsn := servers.StartRedis(b), servers.StartPostgresPair(b, "fsync=on", "synchronous_commit=on")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	fast := rediskv.Open(rediskv.Options{Sentinels: []string{redis.Sentinel.Addr}, Master: redis.Name, Replica: "bench", Budget: time.Second}, log)
	defer fast.Close()
	safe, err := postgres.Open(postgres.Options{DSN: dsn, Conns: 20, Replica: "bench", Budget: time.Second}, log)
	if err != nil {
		b.Fatal(err)
	}
	defer safe.Close()
	if err := safe.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer inBackground(fast.Watch, safe.Watch)()
	both, endBoth := benchGateway(fast, safe, log, fast, safe)
	defer endBoth()
	alone, endAlone := benchGateway(fast, safe, log, fast)
	defer endAlone()
	const warm = 100 // misses that open connections and fill caches
	for i := range warm {
		missTime(b, both, fmt.Sprint("warm both ", i))
		missTime(b, alone, fmt.Sprint("warm alone ", i))
	}
	var withBoth, withOne, commits []time.Duration
	for i := 0; b.Loop(); i++ {
		withBoth = append(withBoth, missTime(b, both, fmt.Sprint("both ", i)))
		withOne = append(withOne, missTime(b, alone, fmt.Sprint("alone ", i)))
		commits = append(commits, commitTime(b, safe, fmt.Sprint("commit ", i)))
	}
	two, one := median(withBoth), median(withOne)
	b.ReportMetric(median(commits), "commit-p50-ms")
	b.ReportMetric(two, "both-p50-ms")
	b.ReportMetric(one, "redis-p50-ms")
	b.ReportMetric(two-one, "added-p50-ms")
	b.ReportMetric(two/one, "p50-ratio")
	b.ReportMetric(0, "ns/op") // says nothing: an operation is one miss of each
}

// benchGateway makes a gateway with these lease stores, whose ledger runs until the end.
func benchGateway(fast *rediskv.Store, safe *postgres.Store, log *slog.Logger, stores ...service.LeaseStore) (*service.Gateway, func()) {
	ledger := service.NewLedger(safe, fast, 1_000_000, log)
	g := service.New(service.Settings{
		MaxFlights: maxFlights,
		Replica:    "bench", Boot: "bench", TTL: ttl, Lease: lease, RequestTimeout: requestTimeout,
		Limits: service.Limits{PerKey: service.Limit{Rate: 10_000, Burst: 20_000}, Replicas: 3},
	}, service.Ports{
		Cache: fast, LeaseStores: stores, Answers: safe, Upstream: instant{}, Ledger: ledger, Meter: &tally{}, Log: log,
	})
	return g, inBackground(ledger.Run, g.RunHandoff)
}

// inBackground runs work until the function that it returns is called.
func inBackground(work ...func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, w := range work {
		all.Go(func() { w(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func missTime(b *testing.B, g *service.Gateway, prompt string) time.Duration {
	r := ask(prompt, prompt)
	r.KeyID = "1"
	asked := time.Now()
	result, err := g.Answer(b.Context(), r)
	took := time.Since(asked)
	if err != nil || result.Source != service.Call {
		b.Fatalf("%s: %q, %v", prompt, result.Source, err)
	}
	return took
}

// commitTime is how long PostgreSQL takes to write one row for good.
func commitTime(b *testing.B, safe *postgres.Store, id string) time.Duration {
	asked := time.Now()
	row := service.Row{RequestID: id, Tenant: "acme", Key: "k", Kind: service.RowHit, CallID: "c", At: asked}
	if err := safe.Write(b.Context(), []service.Row{row}); err != nil {
		b.Fatal(err)
	}
	return time.Since(asked)
}

// median is in milliseconds.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2]) / float64(time.Millisecond)
}
