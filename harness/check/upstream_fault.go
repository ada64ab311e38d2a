package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// UpstreamSlowed certifies that the upstream answered later, by its own ledger: active when the first call arrived that was
// to be delayed by at least added, healed when the first arrived after the last of those. Every call from the one to the
// heal must have been delayed.
func UpstreamSlowed(added time.Duration) Certificate {
	slowed := func(u evidence.Upstream) bool { return u.Delay >= added }
	certificate := upstreamHit(fmt.Sprintf("delayed by %s", added), slowed)
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		t, err := certificate(run, in)
		if err != nil {
			return t, err
		}
		for u := range run.Upstream() {
			if t.Active < u.Arrived && u.Arrived < in.Healing && !slowed(u) {
				return t, fmt.Errorf("%w: upstream call %s arrived while it lasted and was not delayed", errNotCertified, u.ID)
			}
		}
		return t, nil
	}
}

// UpstreamFailed certifies that the upstream answered calls with that status, by its own ledger: active when the first
// call arrived that was so answered, healed when one arrived after the last of those. It need not have hit every call.
func UpstreamFailed(status int) Certificate {
	return UpstreamEnded(evidence.UpstreamError, status)
}

// UpstreamEnded is UpstreamFailed for any way in which calls end, one of evidence's Upstream constants, and any status, 0 for
// none.
func UpstreamEnded(outcome string, status int) Certificate {
	return upstreamHit(fmt.Sprintf("ended %s with status %d", outcome, status), func(u evidence.Upstream) bool {
		return u.Outcome == outcome && u.Status == status
	})
}

// upstreamHit looks for the first call that was hit between order and heal, and for one that was not after the last.
func upstreamHit(how string, hit func(evidence.Upstream) bool) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		var t Times
		for u := range run.Upstream() {
			switch {
			case u.Arrived < in.Ordered:
			case hit(u):
				t.Healed = 0
				if t.Active == 0 {
					t.Active = u.Arrived
				}
			case t.Healed == 0 && healing(in).holds(u.Arrived):
				t.Healed = u.Arrived
			}
		}
		switch {
		case t.Active == 0 || healing(in).holds(t.Active):
			return Times{}, fmt.Errorf("%w: no upstream call that arrived between the order and the heal was %s", errNotCertified, how)
		case in.Healing == 0:
			return t, fmt.Errorf("%w: its heal was never ordered", errNotCertified)
		case t.Healed == 0:
			return t, fmt.Errorf("%w: after the heal, no upstream call arrived that was not %s", errNotCertified, how)
		}
		return t, nil
	}
}
