package fault

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// PacketLoss loses that share of the packets, above 0 and below 1, between the target and its peers.
func PacketLoss(share float64, c Cut) Fault {
	f := c.fault(evidence.FaultPacketLoss, share, c.lossy)
	f.Name = fmt.Sprintf("%s, %g%%", f.Name, 100*share)
	return f
}

// lossy: some packets between the target and each peer were lost and some were not. Active when the first of the peers had lost
// the target for a moment, each of them having done so before the heal; healed when each of them reached it, from then on to
// the end.
func (c Cut) lossy(run *evidence.Run, in evidence.Injection) (Times, error) {
	peers := othersOf(run, in.Target, c.Peers)
	if len(peers) == 0 {
		return Times{}, fmt.Errorf("%w: no packets were to get lost", ErrUnconfirmed)
	}
	t := Times{Active: evidence.Forever, Healed: in.Healing}
	for _, peer := range peers {
		first, healed, err := lossSeen(run, in, peer)
		if err != nil {
			return Times{}, err
		}
		t.Active, t.Healed = min(t.Active, first), max(t.Healed, healed)
	}
	return t, nil
}

// lossSeen is when the peer first lost the target for a moment, and since when it has reached it.
func lossSeen(run *evidence.Run, in evidence.Injection, peer string) (first, since time.Duration, err error) {
	source := evidence.SourceReach(peer)
	lost, ok := run.FirstSaw(in.Target, source, evidence.SawLost, in.Ordered)
	if !ok || !in.InForce().Holds(lost.At) {
		return 0, 0, fmt.Errorf("%w: %s never lost %s between the order and the heal", ErrUnconfirmed, peer, in.Target)
	}
	back, ok := run.FirstSaw(in.Target, source, evidence.SawReached, lost.At)
	if !ok || !in.InForce().Holds(back.At) {
		return 0, 0, fmt.Errorf("%w: %s lost %s altogether", ErrUnconfirmed, peer, in.Target)
	}
	last, _ := run.LastSaw(in.Target, source, evidence.Span{To: evidence.Forever})
	if in.Healing == 0 || last.What != evidence.SawReached {
		return 0, 0, fmt.Errorf("%w: %s has not reached %s again", ErrUnconfirmed, peer, in.Target)
	}
	return lost.At, last.At, nil
}
