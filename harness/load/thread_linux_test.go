package load

import (
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

// The process has its priority only until it is restored, and what it starts meanwhile is an ordinary process.
func TestRaisedPriorityEnds(t *testing.T) {
	restore := raisePriority()
	during := policies()
	out, err := exec.Command("sh", "-c", "sed 's/.*) //' /proc/$$/stat | cut -d' ' -f39").Output()
	restore()
	if after := policies(); after[unix.SCHED_RR] != 0 {
		t.Errorf("still raised after the load: %v", after)
	}
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("a child's policy is %q, not 0: %v", out, err)
	}
	if during[unix.SCHED_RR] == 0 {
		t.Skip("this user may not raise priorities")
	}
	if during[unix.SCHED_NORMAL] > runtime.GOMAXPROCS(0) {
		t.Errorf("threads left behind: %v", during)
	}
}
