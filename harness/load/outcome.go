package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// Classes of what went wrong with a request, as Reason of its record gives them.
const (
	reasonTimeout     = "timeout"      // the client's timeout passed
	reasonReset       = "reset"        // the other side reset the connection
	reasonEOF         = "eof"          // the connection ended before the response did
	reasonNetwork     = "network"      // the network failed in another way
	reasonRefused     = "refused"      // nobody listens: the request never ran
	reasonDial        = "dial"         // no connection for another reason: the request never ran
	reasonResources   = "resources"    // this machine ran out of files or ports: the generator's fault
	reasonStatus      = "status"       // a status that is neither what the load wants nor a documented refusal
	reasonMalformed   = "malformed"    // not HTTP, or a 2xx whose body is not what it should be
	reasonClientAbort = "client_abort" // the client cancelled, as planned
	reasonNotSent     = "not_sent"     // the run ended before the request was due
	reasonUnfit       = "unfit"        // the stage made a request that cannot be sent
)

// understand gives a complete response its outcome. Of a response that the profile panics at nothing is known. That is not the
// service's fault, so the request counts as one that was cut short.
func (g *generator) understand(r *plannedRequest, resp Response) {
	g.rec.Inspect(evidence.LeakResponses, r.record.ID, resp.Body)
	for _, values := range resp.Header {
		for _, v := range values {
			g.rec.Inspect(evidence.LeakResponses, r.record.ID, []byte(v))
		}
	}
	err := panics.Do(func() error {
		g.profile.understand(&r.record, resp, g.rec)
		return nil
	})
	if err != nil {
		g.fail(fmt.Errorf("%w: answer to request %d of stage %q: %w", ErrProfile, r.k, r.stage.Name, err))
		r.record.Outcome, r.record.Reason = evidence.Aborted, evidence.ReasonCancelled
	}
}

func (p Profile) understand(r *evidence.Request, resp Response, rec *evidence.Recorder) {
	switch served := resp.Status >= 200 && resp.Status < 300; {
	case served && r.Want == 0:
		r.Outcome = evidence.OK
		if p.Read != nil && p.Read(resp, rec) != nil {
			r.Outcome, r.Reason = evidence.Failed, reasonMalformed
		}
		return
	case resp.Status == int(r.Want):
		r.Outcome = evidence.Rejected
		if p.Reject != nil && p.Reject(resp) != nil {
			r.Outcome, r.Reason = evidence.Failed, reasonMalformed
		}
		return
	}
	r.Outcome, r.Reason = evidence.Failed, reasonStatus
	if p.Refusal == nil {
		return
	}
	if after, ok := p.Refusal(resp.Status, resp.Header, resp.Body); ok {
		r.Outcome, r.Reason, r.RetryAfter = evidence.Refused, "", after
	}
}

// explain gives a request without a complete response its outcome.
func (g *generator) explain(r *plannedRequest) {
	if g.ctx.Err() != nil && r.record.Sent != 0 {
		r.record.Outcome, r.record.Reason = evidence.Aborted, evidence.ReasonCancelled
		return
	}
	r.record.Outcome, r.record.Reason = classify(r.err)
	if r.aborts && r.record.Outcome != evidence.Unsent && !time.Now().Before(r.deadline) { // whatever the error is
		r.record.Outcome, r.record.Reason = evidence.Aborted, reasonClientAbort
	}
	if r.record.Outcome == evidence.Unsent {
		r.record.Sent = 0
	}
}

// unsent is the record of a request that was planned and is not sent any more.
func (g *generator) unsent(r *plannedRequest) evidence.Request {
	r.record.Outcome, r.record.Reason, r.record.End = evidence.Unsent, reasonNotSent, g.clock.now()
	return r.record
}

// classify is what an error means for the request that met it. It goes by types alone: texts change.
func classify(err error) (evidence.Outcome, string) {
	switch {
	case errors.Is(err, ErrProfile):
		return evidence.Unsent, reasonUnfit
	case errors.Is(err, errDial):
		return classifyDial(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return evidence.Ambiguous, reasonTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return evidence.Ambiguous, reasonReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return evidence.Ambiguous, reasonEOF
	case errors.As(err, new(net.Error)):
		return evidence.Ambiguous, reasonNetwork
	}
	return evidence.Failed, reasonMalformed // the connection is fine: what came over it is not
}

// classifyDial: whatever the reason, the service never saw the request.
func classifyDial(err error) (evidence.Outcome, string) {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENOBUFS):
		return evidence.Unsent, reasonResources
	case errors.Is(err, syscall.ECONNREFUSED):
		return evidence.Failed, reasonRefused
	}
	return evidence.Failed, reasonDial
}
