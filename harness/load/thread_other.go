//go:build !linux

package load

import (
	"runtime"
	"time"
)

// kernelSleep makes do with Go's timers, where the kernel's sleep is not at hand: lags are then about a millisecond.
func kernelSleep(d time.Duration) { time.Sleep(d) }

// ownThread gives the calling goroutine a thread of its own.
func ownThread() { runtime.LockOSThread() }

// goFirst does nothing here.
func goFirst() (stop func()) { return func() {} }
