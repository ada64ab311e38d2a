package load

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// kernelSleep sleeps in the kernel, past Go's scheduler. A signal may end it early; the spin makes up for that.
func kernelSleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// ownThread gives the calling goroutine a thread of its own for the rest of its life, and asks the kernel to run it before
// all ordinary threads, since the system under test, where it shares the processors, would delay the load that it is
// measured by. A nice value would not do: it counts within a session or container only. The thread sleeps nearly all
// the time. A user without the right to it goes without: requests are then later on a busy machine, and their lag says so.
func ownThread() {
	runtime.LockOSThread()
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	_ = unix.SchedSetAttr(0, &attr, 0)
}
