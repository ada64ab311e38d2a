//go:build unix

package load

import (
	"errors"
	"syscall"
)

// silent reports whether an idle connection is open and has nothing to say: a server that closes it, or complains that no
// request came, shows as something to be read.
func silent(raw syscall.RawConn) bool {
	var err error
	peek := func(fd uintptr) {
		var b [1]byte
		_, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	return raw.Control(peek) == nil && errors.Is(err, syscall.EAGAIN)
}
