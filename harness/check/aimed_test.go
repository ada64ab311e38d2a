package check_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// certificateCase is a certificate and what was seen of a fault on store-1, ordered at 10 s, whose heal is at 20 s.
type certificateCase struct {
	name           string
	certificate    check.Certificate
	signs          []func(*evidence.Records)
	active, healed float64 // seconds
	missing        string  // empty if certified
}

func (c certificateCase) run(t *testing.T) {
	t.Helper()
	in := evidence.Injection{Fault: "x", Target: "store-1", Ordered: seconds(10), Healing: seconds(20)}
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
}

func saw(at float64, source, node, what string) func(*evidence.Records) {
	return func(r *evidence.Records) {
		r.Observations = append(r.Observations, evidence.Observation{At: seconds(at), Source: source, Node: node, What: what})
	}
}

func exited(at float64) func(*evidence.Records) {
	return func(r *evidence.Records) {
		r.Exits = append(r.Exits, evidence.Exit{Node: "store-1", At: seconds(at), Code: 137})
	}
}

func called(at float64, alter func(*evidence.Upstream)) func(*evidence.Records) {
	return func(r *evidence.Records) {
		u := evidence.Upstream{ID: "c", Arrived: seconds(at), Ended: seconds(at + 1), Outcome: evidence.UpstreamOK, Status: http.StatusOK}
		alter(&u)
		r.Upstream = append(r.Upstream, u)
	}
}

func TestStoreCertificates(t *testing.T) {
	type signs = []func(*evidence.Records)
	lead, down, up := "leader", evidence.SawDown, evidence.SawUp
	both := check.Both(check.Crashed, check.LeadLost("roles", lead))
	crashed := check.Aimed("roles", lead, check.Crashed)
	moved := check.Aimed("roles", lead, check.LeadMoved("roles", lead))
	leads := saw(1, "roles", "store-1", lead)
	for _, c := range []certificateCase{
		{"crash", crashed, signs{leads, saw(10.2, "alive", "store-1", down), saw(12, "other", "store-1", up), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"crash of nothing", crashed, signs{leads}, 0, 0, "no observer saw store-1 go down between"},
		{"crash, down only after the heal", crashed, signs{leads, saw(20.5, "alive", "store-1", down), saw(21, "alive", "store-1", up)}, 0, 0, "go down between"},
		{"crash, down before", crashed, signs{leads, saw(9, "alive", "store-1", down), saw(11, "alive", "store-1", up)}, 0, 0, "go down between"},
		{"crash, never up again", crashed, signs{leads, saw(10.2, "alive", "store-1", down), saw(12, "other", "store-1", up)}, 10.2, 0, "alive never called store-1 up"},
		{"crash of the whole node", crashed, signs{leads, saw(10.2, "alive", "store-1", down), exited(10.1), saw(13, "alive", "store-1", up)}, 10.2, 0, "exit of the whole of store-1"},
		{"crash, an exit later on", crashed, signs{leads, saw(10.2, "alive", "store-1", down), exited(15), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},

		{"crash and failover", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(11, "roles", "store-2", lead), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"failover later than the restart", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(11, "alive", "store-1", up), saw(12, "roles", "store-2", lead)}, 10.2, 12, ""},
		{"failover, the loss seen last", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(10.7, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 13, ""},
		{"the loss seen last of all", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "alive", "store-1", up), saw(10.6, "roles", "store-2", lead), saw(10.7, "roles", "store-1", "stopped")}, 10.2, 10.7, ""},
		{"another leads, the loss never seen", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(13, "alive", "store-1", up)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"another leads for a moment only", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.6, "roles", "store-2", lead), saw(10.8, "roles", "store-2", "replica"), saw(11, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"another led before", both, signs{saw(0.5, "roles", "store-2", lead), leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopped"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"crash, no failover", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(13, "alive", "store-1", up)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"crash, and the same one leads again", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "crashed"), saw(13, "alive", "store-1", up), saw(14, "roles", "store-1", lead)}, 10.2, 14, ""},
		{"crash, nobody leads again", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "crashed"), saw(13, "alive", "store-1", up)}, 10.2, 0, "nobody in the lead again"},
		{"crash of nothing, and a failover later on", both, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "alive", "store-1", up), saw(21, "roles", "store-1", "crashed"), saw(22, "roles", "store-2", lead)}, 10.2, 0, "did not see store-1 lose the lead"},
		{"failover, no crash", both, signs{leads, saw(10.4, "roles", "store-1", "stopped"), saw(12, "roles", "store-2", lead)}, 0, 0, "go down between"},

		{"freeze", check.Frozen, signs{saw(10.2, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.2, 20.2, ""},
		{"freeze of a node that was slow just before", check.Frozen, signs{saw(10.1, "alive", "store-1", down), saw(10.2, "alive", "store-1", up), saw(10.4, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.4, 20.2, ""},
		{"freeze, noticed by two", check.Frozen, signs{saw(10.6, "balancer", "store-1", down), saw(10.2, "alive", "store-1", down), saw(20.2, "alive", "store-1", up)}, 10.2, 20.2, ""},
		{"freeze of nothing, and the node slow", check.Frozen, signs{saw(12, "alive", "store-1", down), saw(12.5, "alive", "store-1", up), saw(21, "alive", "store-1", up)}, 0, 0, "and stay down"},
		{"freeze, down only after the heal", check.Frozen, signs{saw(20.5, "alive", "store-1", down), saw(21, "alive", "store-1", up)}, 0, 0, "and stay down"},

		{"aimed at nobody known", crashed, signs{saw(10.2, "alive", "store-1", down), saw(13, "alive", "store-1", up)}, 0, 0, "roles had last said nothing, not leader"},
		{"aimed at another", crashed, signs{saw(1, "roles", "store-2", lead), saw(2, "roles", "store-1", "replica"), saw(10.2, "alive", "store-1", down)}, 0, 0, "last said replica"},
		{"aimed at a former leader", crashed, signs{leads, saw(5, "roles", "store-1", "replica"), saw(10.2, "alive", "store-1", down)}, 0, 0, "last said replica"},
		{"aimed at a leader to be", crashed, signs{saw(11, "roles", "store-1", lead), saw(12, "alive", "store-1", down)}, 0, 0, "last said nothing"},

		{"switchover", moved, signs{leads, saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-2", lead)}, 10.4, 12, ""},
		{"switchover, seen down first", moved, signs{leads, saw(10.2, "alive", "store-1", down), saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-2", lead)}, 10.2, 12, ""},
		{"switchover, the loss seen last", moved, signs{leads, saw(11, "roles", "store-2", lead), saw(11.2, "roles", "store-1", "replica")}, 11, 11.2, ""},
		{"switchover of nothing", moved, signs{leads}, 0, 0, "no other node than store-1 as leader"},
		{"switchover back to itself", moved, signs{leads, saw(10.4, "roles", "store-1", "stopping"), saw(12, "roles", "store-1", lead)}, 0, 0, "no other node than store-1"},
		{"switchover of nothing, and a failover later on", moved, signs{leads, saw(21, "alive", "store-1", down), saw(22, "roles", "store-2", lead)}, 0, 0, "no other node than store-1"},
		{"two leaders", moved, signs{leads, saw(12, "roles", "store-2", lead)}, 12, 0, "nobody saw store-1 lose the lead"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestUpstreamCertificates(t *testing.T) {
	type signs = []func(*evidence.Records)
	whole := func(*evidence.Upstream) {}
	slowed := func(u *evidence.Upstream) { u.Delay = 500 * time.Millisecond }
	slow := check.UpstreamSlowed(500 * time.Millisecond)
	failed := func(u *evidence.Upstream) { u.Outcome, u.Status = evidence.UpstreamError, http.StatusBadGateway }
	errs := check.UpstreamFailed(http.StatusBadGateway)
	for _, c := range []certificateCase{
		{"slow", slow, signs{called(9, whole), called(10.1, slowed), called(15, slowed), called(20.3, whole), called(21, whole)}, 10.1, 20.3, ""},
		{"slow, on the edges", slow, signs{called(10, whole), called(10.1, slowed), called(20.1, slowed), called(20.3, whole)}, 10.1, 20.3, ""},
		{"slow, for nothing", slow, signs{called(9, whole), called(12, whole), called(21, whole)}, 0, 0, "between the order and the heal was delayed by 500ms"},
		{"slow, less than ordered", slow, signs{called(12, func(u *evidence.Upstream) { u.Delay = 400 * time.Millisecond }), called(21, whole)}, 0, 0, "was delayed by 500ms"},
		{"slow, before the order", slow, signs{called(9, slowed), called(12, whole), called(21, whole)}, 0, 0, "was delayed"},
		{"slow, with gaps", slow, signs{called(11, slowed), called(12, whole), called(13, slowed), called(21, whole)}, 11, 21, "was not delayed"},
		{"slow, not healed", slow, signs{called(11, slowed), called(21, whole), called(22, slowed)}, 11, 0, "after the heal, no upstream call arrived that was not delayed"},
		{"slow, nobody calls afterwards", slow, signs{called(11, slowed)}, 11, 0, "after the heal, no upstream call"},

		{"errors", errs, signs{called(9, whole), called(11, failed), called(12, whole), called(13, failed), called(20.2, whole)}, 11, 20.2, ""},
		{"errors, none", errs, signs{called(11, whole), called(21, whole)}, 0, 0, "ended error with status 502"},
		{"errors of another kind", errs, signs{called(11, func(u *evidence.Upstream) { u.Outcome, u.Status = evidence.UpstreamError, 500 }), called(21, whole)}, 0, 0, "ended error with status 502"},
		{"errors after the heal only", errs, signs{called(11, whole), called(21, failed), called(22, whole)}, 0, 0, "ended error with status 502"},
		{"errors, not healed", errs, signs{called(11, failed), called(21, whole), called(22, failed)}, 11, 0, "that was not ended error with status 502"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestUpstreamCertificateNeedsAHeal(t *testing.T) {
	in := evidence.Injection{Target: "llm-1", Ordered: seconds(10)}
	r := evidence.Records{Upstream: []evidence.Upstream{{ID: "c", Arrived: seconds(11), Delay: time.Second}, {ID: "d", Arrived: seconds(12)}}}
	if _, err := check.UpstreamSlowed(time.Second)(evidence.New(evidence.Plan{}, r), in); err == nil || !strings.Contains(err.Error(), "heal was never ordered") {
		t.Errorf("%v", err)
	}
}
