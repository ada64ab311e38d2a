package load

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Classes of what went wrong with a request, as Call.Reason gives them.
const (
	reasonTimeout   = "timeout"   // the client's patience ended
	reasonReset     = "reset"     // the other side reset the connection
	reasonEOF       = "eof"       // the connection ended before the response did
	reasonNetwork   = "network"   // the network failed in another way
	reasonRefused   = "refused"   // nobody listens: the request never ran
	reasonDial      = "dial"      // no connection for another reason: the request never ran
	reasonResources = "resources" // this machine ran out of files or ports: the generator's fault
	reasonStatus    = "status"    // a status that is neither 2xx nor a documented refusal
	reasonMalformed = "malformed" // not HTTP, or a 2xx whose body is not what it should be
	reasonLeft      = "left"      // the client left, as planned
	reasonNotSent   = "not_sent"  // the run ended before the request was due
	reasonUnfit     = "unfit"     // the stage made a request that can not be sent
)

// judge gives a complete response its outcome.
func (p Profile) judge(c *evidence.Call, r reply) {
	if r.status >= 200 && r.status < 300 {
		var err error
		c.Outcome = evidence.OK
		if c.Answer, err = p.Read(r.status, r.header, r.body); err != nil {
			c.Outcome, c.Reason = evidence.Failed, reasonMalformed
		}
		return
	}
	c.Outcome, c.Reason = evidence.Failed, reasonStatus
	if p.Refusal == nil {
		return
	}
	if after, ok := p.Refusal(r.status, r.header, r.body); ok {
		c.Outcome, c.Reason, c.RetryAfter = evidence.Refused, "", after
	}
}

// explain gives a request without a complete response its outcome.
func (g *generator) explain(s *shot) {
	if g.ctx.Err() != nil && s.call.Sent != 0 {
		s.call.Outcome, s.call.Reason = evidence.Aborted, evidence.ReasonCancelled
		return
	}
	s.call.Outcome, s.call.Reason = classify(s.err)
	if s.leaves && s.call.Outcome != evidence.Unsent && !time.Now().Before(s.deadline) { // whatever the error is
		s.call.Outcome, s.call.Reason = evidence.Aborted, reasonLeft
	}
	if s.call.Outcome == evidence.Unsent {
		s.call.Sent = 0
	}
}

// unsent is the record of a request that was planned and is not sent any more.
func (g *generator) unsent(s *shot) evidence.Call {
	s.call.Outcome, s.call.Reason, s.call.End = evidence.Unsent, reasonNotSent, g.clock.now()
	return s.call
}

// classify says what an error means for the request that met it. It goes by types alone: texts change.
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
