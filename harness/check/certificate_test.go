package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestCertificates: the fault is ordered at 10 s and its heal at 20 s; times of signs are seconds.
func TestCertificates(t *testing.T) {
	sign := func(at float64, source, what string) func(*evidence.Records) {
		return func(r *evidence.Records) {
			r.Observations = append(r.Observations, evidence.Observation{At: seconds(at), Source: source, Node: "gateway-1", What: what})
		}
	}
	exit := func(at float64, code int) func(*evidence.Records) {
		return func(r *evidence.Records) {
			r.Exits = append(r.Exits, evidence.Exit{Node: "gateway-1", At: seconds(at), Code: code})
		}
	}
	type signs = []func(*evidence.Records)
	for _, c := range []struct {
		name           string
		certificate    check.Certificate
		signs          signs
		active, healed float64
		missing        string // empty if certified
	}{
		{"term, seen by its readiness", check.Terminated, signs{sign(10.1, "ready", "down"), exit(11, 0), sign(21, "ready", "up")}, 10.1, 21, ""},
		{"term, exit seen first", check.Terminated, signs{exit(10.1, 0), sign(10.3, "haproxy", "down"), sign(21, "haproxy", "up")}, 10.1, 21, ""},
		{"term, the balancer's up counts", check.Terminated, signs{sign(10.1, "ready", "down"), exit(11, 0), sign(20.5, "ready", "up"), sign(21, "haproxy", "up")}, 10.1, 21, ""},
		{"term, signs from before", check.Terminated, signs{sign(9, "ready", "down"), exit(9, 0), sign(21, "ready", "up")}, 0, 0, "no exit of gateway-1"},
		{"term that hits nothing", check.Terminated, nil, 0, 0, "no exit of gateway-1"},
		{"term ignored, killed in the end", check.Terminated, signs{exit(22, 137), sign(22.1, "ready", "down"), sign(24, "ready", "up")}, 0, 0, "showed no sign of it"},
		{"term, drained but killed in the end", check.Terminated, signs{sign(10.1, "ready", "down"), exit(22, 137), sign(24, "ready", "up")}, 10.1, 24, ""},
		{"term, late but by itself", check.Terminated, signs{exit(22, 0), sign(24, "ready", "up")}, 22, 24, ""},
		{"term, never up again", check.Terminated, signs{exit(11, 0), sign(15, "ready", "up")}, 11, 0, "no observer saw gateway-1 up again"},

		{"kill", check.Killed, signs{exit(10.02, 137), sign(10.2, "haproxy", "down"), sign(21, "haproxy", "up")}, 10.02, 21, ""},
		{"kill that hits nothing", check.Killed, signs{sign(21, "haproxy", "up")}, 0, 0, "no exit of gateway-1 between"},
		{"kill, ended otherwise", check.Killed, signs{exit(10.02, 1), sign(21, "haproxy", "up")}, 0, 0, "code 1, not by SIGKILL"},
		{"kill, ended after the heal", check.Killed, signs{exit(20.5, 137), sign(21, "haproxy", "up")}, 0, 0, "no exit of gateway-1 between"},
		{"kill, never up again", check.Killed, signs{exit(10.02, 137)}, 10.02, 0, "no observer saw gateway-1 up again"},

		{"freeze", check.Frozen, signs{sign(10.5, "ready", "down"), sign(20.1, "ready", "up")}, 10.5, 20.1, ""},
		{"freeze that hits nothing", check.Frozen, nil, 0, 0, "no observer saw gateway-1 go down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := evidence.Injection{Fault: "x gateway-1", Target: "gateway-1", Ordered: seconds(10), Healing: seconds(20)}
			r := evidence.Records{Injections: []evidence.Injection{in}}
			for _, sign := range c.signs {
				sign(&r)
			}
			got := check.Certify(evidence.New(evidence.Plan{}, r), in, c.certificate)
			if got.Certified != (c.missing == "") || !strings.Contains(got.Missing, c.missing) {
				t.Errorf("certified %t, missing %q; want missing %q", got.Certified, got.Missing, c.missing)
			}
			if got.Active != seconds(c.active) || got.Healed != seconds(c.healed) {
				t.Errorf("active %s, healed %s; want %v s, %v s", got.Active, got.Healed, c.active, c.healed)
			}
		})
	}
}

func TestCertifyBelievesAFailedInjectorNothing(t *testing.T) {
	never := func(*evidence.Run, evidence.Injection) (check.Times, error) { panic("asked") }
	for _, in := range []evidence.Injection{{Error: "no engine"}, {Undo: "no engine"}} {
		if c := check.Certify(nil, in, never); c.Certified || !strings.Contains(c.Missing, "no engine") {
			t.Errorf("%+v: %+v", in, c)
		}
	}
}

func TestCertificateNeedsAHeal(t *testing.T) {
	in := evidence.Injection{Target: "gateway-1", Ordered: seconds(10)}
	r := evidence.Records{Exits: []evidence.Exit{{Node: "gateway-1", At: seconds(11), Code: 137}},
		Observations: []evidence.Observation{{At: seconds(12), Node: "gateway-1", What: "up"}}}
	if _, err := check.Killed(evidence.New(evidence.Plan{}, r), in); err == nil || !strings.Contains(err.Error(), "heal was never ordered") {
		t.Errorf("%v", err)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
