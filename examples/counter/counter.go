// Package counter puts a service under test that has nothing to do with the gateway: an HTTP counter in front of Redis.
package counter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

const (
	role    = "counter"
	program = "./examples/counter/cmd/counter"
	port    = 8080
	look    = 100 * time.Millisecond // between two looks of an observer

	// What a counter may fail to give back. Prometheus clients export both.
	goroutines, descriptors = "go_goroutines", "process_open_fds"
)

// System is three counters behind HAProxy, with Redis under Redis Sentinel.
type System struct{}

var counters = [...]string{"counter-1", "counter-2", "counter-3"}

func (System) Programs() []env.Program { return []env.Program{{}, {Go: program}} }

// Start starts the stores, then the counters, and is done when HAProxy calls all of them up.
func (System) Start(ctx context.Context, e *env.Env) error {
	proxy := haproxy.Proxy{Service: haproxy.Service{Name: role, Nodes: counters[:], Port: port, Ready: "/ready"}}
	watchers, err := redisha.Cluster{}.RedisSentinels(e)
	if err = errors.Join(err, redisha.Cluster{}.Start(ctx, e), proxy.Launch(ctx, e)); err != nil {
		return err
	}
	for _, name := range counters {
		addr, err := e.Addr(name)
		if err != nil {
			return err
		}
		spec := env.Spec{Name: name, Role: role, Subject: true, Program: env.Program{Go: program}, Ports: []int{port}, Env: map[string]string{
			"LISTEN": fmt.Sprintf("%s:%d", addr, port), "MASTER": redisha.MasterName, "SENTINELS": strings.Join(watchers, ",")}}
		if _, err := e.Launch(ctx, spec); err != nil {
			return err
		}
	}
	e.SetParam(evidence.ParamGrace, 10*time.Second)
	url, err := haproxy.URL(ctx, e)
	e.SetTarget(env.Target{URL: url})
	return errors.Join(err, env.Await(ctx, "every counter up", func(ctx context.Context) error { return haproxy.ServersUp(ctx, e, role, len(counters)) }))
}

// Probes observe the counters; faults of Redis bring their own.
func (System) Probes() []probe.Probe {
	keep := func(name string) bool { return name == goroutines || name == descriptors }
	return []probe.Probe{probe.Metrics(probe.Scrape{Role: role, Port: port, Every: look, Keep: keep}),
		probe.Ready(role, port, "/ready", look), haproxy.AccessLog(role)}
}

// Exemptions name corruptions of the access log that no check need notice.
func (System) Exemptions() []corrupt.Exemption { return haproxy.Exemptions() }

// Scenarios are what counters promise.
func Scenarios() []harness.Scenario {
	return []harness.Scenario{
		scenario("counter-redis-master-kill", "While the Redis master is killed and replaced, every request is answered, and within 5 s as fast as before.",
			fault.Kill(redisha.Master())),
		scenario("counter-replica-restart", "While one counter is told to end and started again, no request is dropped or silently retried, and it exits 0 in time.",
			fault.Term(fault.Node("counter-2")), check.CleanExit("counter-2"), haproxy.ServesAgain("counter-2")),
	}
}

func scenario(name, claim string, f fault.Fault, more ...check.Check) harness.Scenario {
	count := func(k uint64, _ *rand.Rand) load.Request {
		return load.Request{Method: http.MethodPost, Path: fmt.Sprintf("/count/name-%d", k%50)}
	}
	return harness.Scenario{Name: name, Claim: claim, System: System{}, Short: true,
		Load: load.Profile{Timeout: 10 * time.Second, Warmup: []load.Stage{{Name: "rehearsal", Shape: load.Ramp(20, 100, 2*time.Second), Request: count}},
			Stages: []load.Stage{{Name: "steady", Shape: load.Spike(100, 200, 9*time.Second, time.Second, 14*time.Second), Request: count}}},
		Faults: fault.Plan{{At: 4 * time.Second, For: 4 * time.Second, Fault: f}},
		Expect: append(more, check.NothingDropped(), check.RecoversWithin(f.Name, 5*time.Second), check.LatencyWithin(check.After(f.Name), 99, time.Second),
			check.ErrorsWithin(check.During(f.Name), 0), check.RefusalsWithin(check.During(f.Name), 0), check.NoPanics(), haproxy.NoHiddenRetries(),
			check.GaugesReturnToZero(check.Gauges{Held: []string{goroutines, descriptors}}))}
}
