package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Errors that are hard to provoke; TestOutcomes meets the others.
func TestClassify(t *testing.T) {
	on := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)}
	}
	dialling := func(err error) error { return fmt.Errorf("%w: %w", errDial, on("dial", err)) }
	tests := []struct {
		err     error
		outcome evidence.Outcome
		reason  string
	}{
		{dialling(syscall.EMFILE), evidence.Unsent, reasonResources},
		{dialling(syscall.ENFILE), evidence.Unsent, reasonResources},
		{dialling(syscall.EADDRNOTAVAIL), evidence.Unsent, reasonResources},
		{dialling(syscall.ENOBUFS), evidence.Unsent, reasonResources},
		{dialling(syscall.ECONNREFUSED), evidence.Failed, reasonRefused},
		{dialling(syscall.EHOSTUNREACH), evidence.Failed, reasonDial},
		{dialling(os.ErrDeadlineExceeded), evidence.Failed, reasonDial}, // a black hole: it never ran
		{fmt.Errorf("%w: %w", errDial, syscall.ECONNRESET), evidence.Failed, reasonDial},
		{on("write", syscall.EPIPE), evidence.Ambiguous, reasonReset},
		{on("read", syscall.ECONNRESET), evidence.Ambiguous, reasonReset},
		{on("read", syscall.EHOSTUNREACH), evidence.Ambiguous, reasonNetwork},
		{on("read", os.ErrDeadlineExceeded), evidence.Ambiguous, reasonTimeout},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), evidence.Ambiguous, reasonEOF},
		{errTooLong, evidence.Failed, reasonMalformed},
		{errors.New("whatever the parser says"), evidence.Failed, reasonMalformed},
	}
	for _, test := range tests {
		if outcome, reason := classify(test.err); outcome != test.outcome || reason != test.reason {
			t.Errorf("%v: %s %q", test.err, outcome, reason)
		}
	}
}
