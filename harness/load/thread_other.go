//go:build !linux

package load

import (
	"runtime"
	"time"
)

// kernelSleep makes do with Go's timers, where the kernel's sleep is not at hand: lags are then about a millisecond.
func kernelSleep(d time.Duration) { time.Sleep(d) }

// dedicateThread gives the calling goroutine a thread of its own.
func dedicateThread() { runtime.LockOSThread() }

// raisePriority does nothing here.
func raisePriority() (restore func()) { return func() {} }
