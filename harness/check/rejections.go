package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// BadRequestsRejected: every request that must not be served got the status that the load wants for it. Which requests these are,
// only the load's author says. A documented refusal serves nobody either: NothingDropped judges it. Unknown unless some were
// rejected with each status that the load wants.
func BadRequestsRejected() Check {
	return New("BadRequestsRejected", func(r *Run) (Verdict, error) {
		b := badRequests{rejected: map[int16]int{}}
		for _, q := range evidence.Requests.Each(r.Run) {
			if q.Want != 0 && q.Waited() {
				b.judge(q)
			}
		}
		return b.verdict()
	}).Timeless()
}

// badRequests are those that must not be served.
type badRequests struct {
	sent, refused int
	rejected      map[int16]int // by wanted status
	wrong         Findings
}

func (b *badRequests) judge(q *evidence.Request) {
	b.sent++
	b.rejected[q.Want] += 0 // so that one that was never rejected is missed
	switch {
	case q.Outcome == evidence.Rejected:
		b.rejected[q.Want]++
	case q.Outcome == evidence.Refused:
		b.refused++
	case q.Status == 0:
		b.wrong.Add(fmt.Sprintf("got no response rather than %d (%s)", q.Want, q.Reason), q.Seq)
	case q.Status == q.Want:
		b.wrong.Add(fmt.Sprintf("got %d in another form than is documented", q.Want), q.Seq)
	default:
		b.wrong.Add(fmt.Sprintf("got %d rather than %d", q.Status, q.Want), q.Seq)
	}
}

func (b *badRequests) verdict() (Verdict, error) {
	figures := map[string]float64{"bad_requests": float64(b.sent), "refused": float64(b.refused), "not_rejected": float64(b.wrong.N())}
	if b.wrong.N() > 0 {
		return Failf(figures, b.wrong.Requests(), "of %d requests that must be rejected, %s", b.sent, &b.wrong), nil
	}
	if b.sent == 0 {
		return Verdict{Figures: figures}, errors.New("no request was sent that must be rejected")
	}
	for _, status := range slices.Sorted(maps.Keys(b.rejected)) {
		if b.rejected[status] == 0 {
			return Verdict{Figures: figures}, fmt.Errorf("no request was rejected with %d", status)
		}
	}
	return Passf(figures, "all of %d requests that must not be served were rejected as the load wants, or refused", b.sent), nil
}
