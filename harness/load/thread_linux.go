package load

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Real-time priorities of this process's threads: the one that sends goes before everything else on the machine, and at the
// moment of a herd the others follow it.
const (
	otherThreads  = 1
	sendingThread = 2
)

// promoteEvery is how long a thread that Go adds later remains an ordinary one, at most.
const promoteEvery = 100 * time.Millisecond

// finestSlack is the least that the kernel may add to a sleep, in nanoseconds.
const finestSlack = 1

// kernelSleep sleeps in the kernel, past Go's scheduler. A signal may end it early; the spin makes up for that.
func kernelSleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// dedicateThread gives the calling goroutine a thread of its own, of the highest priority, for the rest of its life.
func dedicateThread() {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, realTime(sendingThread), 0)         // see raisePriority
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, finestSlack, 0, 0, 0) // else the kernel adds 50 us to each sleep
}

// raisePriority has the kernel run this process's threads before all ordinary ones until the returned function is called. It
// is for the moment of a herd. A thousand requests keep the processors busy, which the system under test often shares with
// the load generator. The requests that are due next must not wait for that. On a machine of its own nothing would hold them
// up.
//
// All threads are meant because Go moves its work between them: the sending thread waits for another one that holds what it
// needs to go on. For longer than a moment it would not do: whatever spins in this process would then starve the machine.
// Nice values would not do either, they count within a session or a control group only. A process without the right to real-time
// priorities goes without: its requests are later when the machine is busy, and their lag says so.
func raisePriority() (restore func()) {
	raised := promoted{}
	if !raised.promoteThreads() {
		return func() {}
	}
	done := make(chan struct{})
	var promoting sync.WaitGroup
	promoting.Go(func() {
		t := time.NewTicker(promoteEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				raised.promoteThreads()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		promoting.Wait()
		for tid, before := range raised {
			_ = unix.SchedSetAttr(tid, before, 0) // it may have ended
		}
	}
}

// promoted is what threads were before they were promoted, by their ids.
type promoted map[int]*unix.SchedAttr

// promoteThreads promotes the threads that are ordinary ones so far. It is false if that is not permitted.
func (p promoted) promoteThreads() bool {
	return eachThread(func(tid int) bool {
		before, err := unix.SchedGetAttr(tid, 0)
		if err != nil || before.Policy == unix.SCHED_RR {
			return true // ended, promoted before, or the one that sends
		}
		err = unix.SchedSetAttr(tid, realTime(otherThreads), 0)
		if err == nil {
			p[tid] = before
		}
		return err == nil || errors.Is(err, unix.ESRCH)
	})
}

// eachThread calls do for all threads of this process. It is false if do was, for any.
func eachThread(do func(tid int) bool) bool {
	tasks, err := os.ReadDir("/proc/self/task")
	ok := err == nil
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			ok = do(tid) && ok
		}
	}
	return ok
}

// realTime is not inherited by the processes that this one starts: they may be part of the system under test.
func realTime(priority uint32) *unix.SchedAttr {
	return &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: priority, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
}
