package load

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// sendFirst is the real-time priority of the sending thread, the least there is: enough to go before all ordinary ones.
const sendFirst = 1

// finestSlack is the least that the kernel may add to a sleep, in nanoseconds.
const finestSlack = 1

// kernelSleep sleeps in the kernel, past Go's scheduler. A signal may end it early; the spin makes up for that.
func kernelSleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// ownThread gives the calling goroutine a thread of its own for the rest of its life, which the kernel runs before all
// ordinary ones. The system under test often shares the processors with the load generator; on a machine of its own
// nothing would hold the generator up, and so nothing should here. Only this thread goes first: it sleeps nearly all the
// time, and the rest of the harness takes no more than its turn. Nice values would not do, they count within a session or
// a container only. Who has not the right to this goes without: requests are then later when the machine is busy, and
// their lag says so.
func ownThread() {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, realTime(), 0)
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, finestSlack, 0, 0, 0) // else the kernel adds 50 us to each sleep
}

// realTime is not inherited by the processes that this thread starts: they may be part of the system under test.
func realTime() *unix.SchedAttr {
	return &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: sendFirst, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
}
