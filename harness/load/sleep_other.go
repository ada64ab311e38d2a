//go:build !linux

package load

import "time"

// kernelSleep makes do with Go's timers where the kernel's sleep is not at hand: lags are then about a millisecond.
func kernelSleep(d time.Duration) { time.Sleep(d) }
