package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

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

func TestWhatMustNotBeServed(t *testing.T) {
	p := Profile{
		Reject: func(r Response) error {
			if string(r.Body) != "no" {
				return errors.New("another form")
			}
			return nil
		},
		Refusal: func(status int, _ http.Header, _ []byte) (time.Duration, bool) { return time.Second, status == 503 },
	}
	tests := []struct {
		want, status int
		body         string
		outcome      evidence.Outcome
		reason       string
	}{
		{401, 401, "no", evidence.Rejected, ""},
		{401, 401, "never", evidence.Failed, reasonMalformed},
		{401, 200, "no", evidence.Failed, reasonStatus},
		{401, 403, "no", evidence.Failed, reasonStatus},
		{401, 503, "later", evidence.Refused, ""},
		{0, 401, "no", evidence.Failed, reasonStatus},
		{0, 200, "no", evidence.OK, ""},
	}
	for _, test := range tests {
		r := evidence.Request{Want: int16(test.want)}
		p.understand(&r, Response{Status: test.status, Body: []byte(test.body)}, nil)
		if r.Outcome != test.outcome || r.Reason != test.reason {
			t.Errorf("%+v: %s %q", test, r.Outcome, r.Reason)
		}
	}
}
