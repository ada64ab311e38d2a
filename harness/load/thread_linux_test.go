package load

import (
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// policies counts the threads of this process by their scheduling policy.
func policies() map[uint32]int {
	n := map[uint32]int{}
	eachThread(func(tid int) bool {
		if a, err := unix.SchedGetAttr(tid, 0); err == nil {
			n[a.Policy]++
		}
		return true
	})
	return n
}

// realTimers are the threads of this process that have a real-time priority. One that sent for an earlier test is among them until it ends, a
// moment after that test, and for ever if it is the main thread.
func realTimers() map[int]bool {
	found := map[int]bool{}
	eachThread(func(tid int) bool {
		if a, err := unix.SchedGetAttr(tid, 0); err == nil && a.Policy == unix.SCHED_RR {
			found[tid] = true
		}
		return true
	})
	return found
}

// mayRaise asks the kernel by a thread of its own, which ends with the question.
func mayRaise(t *testing.T) bool {
	t.Helper()
	answer := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread is not used again
		before, err := unix.SchedGetAttr(0, 0)
		if err == nil {
			err = unix.SchedSetAttr(0, realTime(otherThreads), 0)
		}
		if err == nil {
			err = unix.SchedSetAttr(0, before, 0)
		}
		answer <- err
	}()
	err := <-answer
	if err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
	return err == nil
}

// The process has its priority only until it is restored, and what it starts meanwhile is an ordinary process.
func TestRaisedPriorityEnds(t *testing.T) {
	permitted := mayRaise(t)
	before := realTimers()
	restore := raisePriority()
	during := policies()
	out, err := exec.Command("sh", "-c", "sed 's/.*) //' /proc/$$/stat | cut -d' ' -f39").Output()
	restore()
	for tid := range realTimers() {
		if !before[tid] {
			t.Errorf("thread %d is still raised after the load", tid)
		}
	}
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("a child's policy is %q, not 0: %v", out, err)
	}
	if !permitted {
		t.Skip("this user may not raise priorities")
	}
	if during[unix.SCHED_RR] <= len(before) {
		t.Errorf("nothing was raised: %v", during)
	}
	if during[unix.SCHED_NORMAL] > runtime.GOMAXPROCS(0) {
		t.Errorf("threads left behind: %v", during)
	}
}

// The thread that sends goes before all others, and still does after a herd.
func TestSendingThreadKeepsItsPriority(t *testing.T) {
	if !mayRaise(t) {
		t.Skip("this user may not raise priorities")
	}
	tid, over, ended := make(chan int), make(chan struct{}), make(chan struct{})
	go func() { // whose thread ends with it
		defer close(ended)
		dedicateThread()
		tid <- unix.Gettid()
		<-over
	}()
	defer func() { close(over); <-ended }()
	sending := <-tid
	restore := raisePriority()
	for _, when := range []string{"during a herd", "after it"} {
		if is, err := unix.SchedGetAttr(sending, 0); err != nil || is.Policy != unix.SCHED_RR || is.Priority != sendingThread {
			t.Errorf("%s: %+v, %v", when, is, err)
		}
		restore()
		restore = func() {}
	}
}
