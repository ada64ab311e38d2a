package load

import (
	"runtime"
	"syscall"
	"time"
)

// kernelSleep sleeps in the kernel, past Go's scheduler. A signal may end it early; the spin makes up for that.
func kernelSleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil)
}

// highest is the best priority that Linux gives to an ordinary thread.
const highest = -20

// ownThread gives the calling goroutine a thread of its own, for the rest of its life, that the system under test does
// not keep from running where both share the processors. A user who may not raise priorities goes without: requests are
// then later when the machine is busy, and their lag says so.
func ownThread() {
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), highest)
}
