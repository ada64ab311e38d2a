package load

import (
	"syscall"
	"time"
)

// kernelSleep sleeps in the kernel, past Go's scheduler. A signal may end it early; the spin makes up for that.
func kernelSleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil)
}
