package load

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// spareProcessors are enough for the sending thread to find one of Go's processors free: the process keeps fewer threads busy.
const spareProcessors = 6

// roomForGarbage is the memory, in bytes, that the process may use before garbage is collected during a load: minutes of what
// a load of a thousand requests/s and the observers beside it leave behind.
const roomForGarbage = 1 << 30

// tuneRuntime keeps Go's runtime from holding up the sending thread, until the returned function is called.
//
// A thread that comes back from the kernel's sleep needs one of Go's processors to go on. Those of threads that the kernel has
// just preempted are not free for it, however urgent it is. So Go gets more processors than the machine has.
//
// A garbage collection, some two a second, first waits for all threads, preempted ones too. That takes 5 to 13 ms on a busy
// machine with two cores, and more at times. So there is none.
//
// The runtime is one for all loads of the process: the first tunes it, the last takes that back.
func tuneRuntime() (restore func()) {
	tuned.Lock()
	defer tuned.Unlock()
	if tuned.loads++; tuned.loads == 1 {
		processors := runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(processors + spareProcessors)
		limit := debug.SetMemoryLimit(roomForGarbage)
		percent := debug.SetGCPercent(-1)
		tuned.restore = func() {
			debug.SetGCPercent(percent)
			debug.SetMemoryLimit(limit)
			runtime.GOMAXPROCS(processors)
		}
	}
	return func() {
		tuned.Lock()
		defer tuned.Unlock()
		if tuned.loads--; tuned.loads == 0 {
			tuned.restore()
		}
	}
}

// tuned says which loads the process-wide runtime is tuned for.
var tuned struct {
	sync.Mutex
	loads   int
	restore func()
}
