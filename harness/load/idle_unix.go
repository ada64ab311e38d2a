//go:build unix

package load

import (
	"errors"
	"syscall"
)

// idleConnAlive reports whether an idle connection is open and has nothing to be read. A server that closes it, or complains
// that no request came, leaves something to be read.
func idleConnAlive(raw syscall.RawConn) bool {
	var err error
	peek := func(fd uintptr) {
		var b [1]byte
		_, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	return raw.Control(peek) == nil && errors.Is(err, syscall.EAGAIN)
}
