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

// The process goes first only until told otherwise, and what it starts meanwhile is an ordinary process.
func TestGoFirstEnds(t *testing.T) {
	stop := goFirst()
	during := policies()
	out, err := exec.Command("sh", "-c", "sed 's/.*) //' /proc/$$/stat | cut -d' ' -f39").Output()
	stop()
	if after := policies(); after[unix.SCHED_RR] != 0 {
		t.Errorf("still first after the load: %v", after)
	}
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("a child's policy is %q, not 0: %v", out, err)
	}
	if during[unix.SCHED_RR] == 0 {
		t.Skip("this user may not go first")
	}
	if during[unix.SCHED_NORMAL] > runtime.GOMAXPROCS(0) {
		t.Errorf("threads left behind: %v", during)
	}
}
