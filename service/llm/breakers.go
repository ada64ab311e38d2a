package llm

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sentinel-chaos/sentinel/service"
)

// Bounds of what is remembered. The names of models come from clients, who may make them up.
const (
	mostModels  = 64          // that are remembered, and that are ever named in metrics; a provider has some dozens
	mostTenants = 1024        // that are remembered of one model, because their attempts failed
	forgetAfter = time.Minute // without an attempt; many times as long as a breaker stays open
)

// breakers hold calls back apart from each other: each model for everybody, and for each tenant alone. So no tenant and no model
// has another one's calls refused. Remembered is who has calls under way, is in trouble, or is known to answer; what nobody asks for is
// forgotten. Beyond their bounds a model or a tenant has a breaker of its own for each attempt, which is none.
type breakers struct {
	options BreakerOptions
	log     *slog.Logger

	mu    sync.Mutex // is not held while a gobreaker is asked anything
	known map[string]*model
	named map[string]bool // models that have answered, and so are no client's invention; never more than mostModels
}

// remembered is what both a model and a tenant of it have.
type remembered struct {
	*breaker
	calls int       // under way
	left  time.Time // the end of the latest
}

type model struct {
	remembered
	name    string
	answers bool
	tenants map[string]*remembered
}

func newBreakers(o BreakerOptions, log *slog.Logger) *breakers {
	return &breakers{options: o, log: log, known: map[string]*model{}, named: map[string]bool{}}
}

// Execute makes an attempt, unless the request's model or its tenant is held back: then its error is a *refusal.
func (bs *breakers) Execute(r service.Request, attempt func() (service.Answer, error)) (answer service.Answer, err error) {
	m, t := bs.enter(r)
	answered := false
	defer func() { bs.leave(r, m, t, answered, err) }()
	call := func() (service.Answer, error) { return m.Execute(r.Tenant, attempt) }
	if m.heldBack() > t.heldBack() {
		answer, err = call() // is refused, and told the longer time
	} else {
		answer, err = t.Execute(r.Tenant, call)
	}
	answered = err == nil
	return answer, err
}

func (bs *breakers) enter(r service.Request) (*model, *remembered) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	m, found := bs.known[r.Query.Model]
	if !found {
		m = &model{remembered: remembered{breaker: newBreaker(bs.options, nil)}, name: r.Query.Model, tenants: map[string]*remembered{}}
		if bs.forgetIf(len(bs.known) >= mostModels); len(bs.known) < mostModels {
			bs.known[m.name] = m
		}
	}
	t, found := m.tenants[r.Tenant]
	if !found || t.isOver() {
		t = &remembered{breaker: newBreaker(bs.options, m.breaker)}
		if bs.forgetIf(len(m.tenants) >= mostTenants); found || len(m.tenants) < mostTenants {
			m.tenants[r.Tenant] = t
		}
	}
	m.calls++
	t.calls++
	return m, t
}

func (bs *breakers) leave(r service.Request, m *model, t *remembered, answered bool, err error) {
	now := time.Now()
	forAll, alone := m.opened.Swap(nil), t.opened.Swap(nil)
	bs.mu.Lock()
	defer bs.mu.Unlock()
	m.calls, m.left = m.calls-1, now
	t.calls, t.left = t.calls-1, now
	if answered {
		m.answers = true
		if len(bs.named) < mostModels {
			bs.named[m.name] = true
		}
	}
	same := m.tenants[r.Tenant] == t
	switch log := bs.log.With("model", m.name, "request_id", r.ID, "error", err); {
	case forAll != nil:
		clear(m.tenants) // it was not their questions
		log.Warn("calls of a model fail: they are held back", "until", forAll.UTC().Format(time.RFC3339))
	case alone != nil && same:
		log.Warn("calls of a model fail for one tenant: that tenant's are held back", "tenant", r.Tenant, "until", alone.UTC().Format(time.RFC3339))
	}
	if same && !t.needed(now) {
		delete(m.tenants, r.Tenant)
	}
	if !m.needed(now) && bs.known[m.name] == m {
		delete(bs.known, m.name)
	}
}

// needed reports whether it must be remembered.
func (r *remembered) needed(now time.Time) bool {
	return r.calls > 0 || r.heldBack() > 0 || r.troubled() && now.Sub(r.left) < forgetAfter
}

func (m *model) needed(now time.Time) bool {
	return m.remembered.needed(now) || len(m.tenants) > 0 || m.answers && now.Sub(m.left) < forgetAfter
}

// forgetIf forgets what need not be remembered, if the condition holds. The caller holds the mutex.
func (bs *breakers) forgetIf(condition bool) {
	if !condition {
		return
	}
	now := time.Now()
	maps.DeleteFunc(bs.known, func(_ string, m *model) bool {
		maps.DeleteFunc(m.tenants, func(_ string, t *remembered) bool { return !t.needed(now) })
		return !m.needed(now)
	})
}

// models returns those that are remembered.
func (bs *breakers) models() []*model {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.forgetIf(true)
	return slices.Collect(maps.Values(bs.known))
}

// State is the worst of all models. While one tenant's calls alone fail, and nobody's are answered, that tenant's is the model's.
func (bs *breakers) State() (worst gobreaker.State) {
	for _, m := range bs.models() {
		state := m.State()
		if state == gobreaker.StateClosed && m.overdue.Load() {
			for _, t := range bs.tenantsOf(m) {
				state = max(state, t.State())
			}
		}
		worst = max(worst, state)
	}
	return worst
}

func (bs *breakers) tenantsOf(m *model) []*remembered {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	return slices.Collect(maps.Values(m.tenants))
}

// HeldBack returns the models that are held back, by name: mostModels of them at most.
func (bs *breakers) HeldBack() (held []service.HeldBack) {
	for _, m := range bs.models() {
		if h := bs.heldBack(m); !h.Until.IsZero() {
			held = append(held, h)
		}
	}
	slices.SortFunc(held, func(a, b service.HeldBack) int { return strings.Compare(a.Model, b.Model) })
	return held
}

// heldBack says from whom a model is held back, and until when: from everybody, or from as many tenants; no moment if from nobody.
func (bs *breakers) heldBack(m *model) service.HeldBack {
	h := service.HeldBack{Model: m.name, Why: service.HeldBackFails}
	now, asked, fails := time.Now(), m.backoff(), remaining(&m.openUntil)
	if rest := max(asked, fails); rest > 0 {
		if h.Until = now.Add(rest); asked >= fails {
			h.Why = service.HeldBackAsked
		}
		return h
	}
	for _, t := range bs.tenantsOf(m) {
		if rest := t.heldBack(); rest > 0 {
			h.Tenants++
			if until := now.Add(rest); until.After(h.Until) {
				h.Until = until
			}
		}
	}
	return h
}

// Named returns the models that have answered, mostModels of them at most.
func (bs *breakers) Named() []string {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	return slices.Sorted(maps.Keys(bs.named))
}
