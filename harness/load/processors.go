package load

import "runtime"

// spare is enough for the sending thread to find one of Go's processors free: the process keeps fewer threads busy.
const spare = 6

// spareProcessors gives Go more processors than the machine has, until the returned function is called. A thread that comes
// back from the kernel's sleep needs one to go on; those of the threads which the kernel has just stopped in favour of the
// system under test are not free for it, however urgent it is. With two, on two cores, requests were then sent some 10
// to 100 ms late.
func spareProcessors() (restore func()) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + spare)
	return func() { runtime.GOMAXPROCS(before) }
}
