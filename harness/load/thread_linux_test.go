package load

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// realTimeThreads counts the threads of this process that go before ordinary ones.
func realTimeThreads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Error(err)
	}
	n := 0
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Error(err)
		}
		if a, err := unix.SchedGetAttr(tid, 0); err == nil && a.Policy == unix.SCHED_RR {
			n++
		}
	}
	return n
}

// Only the sending thread goes first.
func TestOnlyTheSenderGoesFirst(t *testing.T) {
	found := make(chan int)
	go func() {
		ownThread()
		found <- realTimeThreads(t)
	}()
	n := <-found
	if n == 0 {
		t.Skip("this user may not go first")
	}
	if n != 1 {
		t.Errorf("%d threads go first, want only the one that sends", n)
	}
}
