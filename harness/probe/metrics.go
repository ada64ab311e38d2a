package probe

import "time"

// Metrics scrapes.
func Metrics(role string, port int, every time.Duration, keep func(name string) bool) Probe {
	return Probe{Name: "metrics " + role}
}
