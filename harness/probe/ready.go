package probe

import "time"

// Ready polls.
func Ready(role string, port int, path string, every time.Duration) Probe {
	return Probe{Name: "ready " + role}
}
