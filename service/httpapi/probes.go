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

// heldBackBody is a model that is held back, from everybody or from some tenants alone.
type heldBackBody struct {
	Model   string `json:"model"`
	Until   string `json:"until"`
	Why     string `json:"why"`
	Tenants int    `json:"tenants,omitempty"`
}

// health reports which build answers, whether each dependency is up, and until when which models are held back. The gateway can serve as long as
// it can answer here.
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
	body := map[string]any{"dependencies": dependencies, "version": a.Version}
	if held := a.HeldBack(); len(held) > 0 {
		models := make([]heldBackBody, len(held))
		for i, h := range held {
			models[i] = heldBackBody{h.Model, h.Until.UTC().Format(time.RFC3339), h.Why, h.Tenants}
		}
		status, body["llm_held_back"] = "degraded", models
	}
	body["status"] = status
	reply(w, http.StatusOK, body)
}
