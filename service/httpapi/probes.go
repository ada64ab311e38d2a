package httpapi

import (
	"net/http"
	"time"
)

// live answers as long as the process is there.
func (a *API) live(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "live"})
}

// ready reports whether new requests are welcome. It asks no shared dependency: else one failover would take every replica
// out of the balancer at once.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case a.draining.Load():
		reply(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
	case !a.started.Load():
		reply(w, http.StatusServiceUnavailable, map[string]string{"status": "starting"})
	default:
		reply(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}

// health reports which build answers, whether each dependency is up, and until when calls are held back. The gateway can serve as long as it can answer here.
func (a *API) health(w http.ResponseWriter, _ *http.Request) {
	dependencies := make(map[string]string, len(a.Health))
	status := "ok"
	for name, up := range a.Health {
		dependencies[name] = "up"
		if !up() {
			dependencies[name] = "down"
			status = "degraded"
		}
	}
	body := map[string]any{"status": status, "dependencies": dependencies, "version": a.Version}
	if until := a.HeldBackUntil(); !until.IsZero() {
		body["status"], body["llm_held_back_until"] = "degraded", until.UTC().Format(time.RFC3339)
	}
	reply(w, http.StatusOK, body)
}
