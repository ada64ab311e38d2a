package load

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Classes of what went wrong with a request, as Call.Reason gives them.
const (
	reasonTimeout   = "timeout"   // the client's patience ended
	reasonReset     = "reset"     // the other side reset the connection
	reasonEOF       = "eof"       // the connection ended before the response did
	reasonRefused   = "refused"   // nobody listens: the request never ran
	reasonDial      = "dial"      // no connection for another reason: the request never ran
	reasonResources = "resources" // this machine ran out of files or ports: the generator's fault
	reasonTransport = "transport" // anything else between the request and a complete response
	reasonStatus    = "status"    // a status that is neither 2xx nor a documented refusal
	reasonMalformed = "malformed" // a 2xx whose body is not what it should be
	reasonCancelled = "cancelled" // the run ended first
	reasonNotSent   = "not_sent"  // the run ended before the request was due
)

// classify says what a transport error means for the request. It goes by types alone: texts change.
func classify(err error) (evidence.Outcome, string) {
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return evidence.Aborted, reasonCancelled
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return evidence.Unsent, reasonResources
	case errors.Is(err, syscall.ECONNREFUSED):
		return evidence.Failed, reasonRefused
	case errors.As(err, &op) && op.Op == "dial":
		return evidence.Failed, reasonDial
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return evidence.Ambiguous, reasonTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return evidence.Ambiguous, reasonReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return evidence.Ambiguous, reasonEOF
	}
	return evidence.Ambiguous, reasonTransport
}
