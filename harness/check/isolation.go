package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// TenantIsolation: what belongs to one tenant was neither given to another nor paid by another. A key belongs to the tenant
// who asked for it by the client's record, or, of keys that only the warm-up asked for, to the tenant of its first upstream
// call. Every answer names its asker as its tenant, and a call of that tenant and of a key of theirs; every row, and every
// upstream call, has the tenant of its request and of its key, and a row names a call of the same tenant. Unknown unless at
// least two tenants were answered.
func TenantIsolation() Check { return complete("TenantIsolation", tenantIsolation) }

func tenantIsolation(run *evidence.Run) Verdict {
	l := readLedger(run)
	w := newWalls(run, l)
	for c := range run.Calls() {
		w.answer(c, l)
	}
	for _, u := range l.calls {
		w.bill(u.RequestID, u.Tenant, u.Key, "upstream calls")
	}
	for r := range run.Rows() {
		w.bill(r.RequestID, r.Tenant, r.Key, "rows")
		if u, known := l.call(r.CallID); known && u.Tenant != r.Tenant {
			w.breach(r.RequestID, "rows of another tenant's call")
		}
	}
	figures := map[string]float64{"tenants_answered": float64(len(w.answered)), "breaches": float64(w.why.sum())}
	switch {
	case w.why.sum() > 0:
		return fail(figures, w.culprits, "what belongs to one tenant was given to another or paid by another: %s", w.why)
	case l.flaw != "":
		return unknown("%s", l.flaw).with(figures)
	case len(w.answered) < 2:
		return unknown("%d tenants were answered; there is nothing to keep apart", len(w.answered)).with(figures)
	}
	return pass(figures, "what belongs to each of %d tenants was given to it and paid by it alone", len(w.answered))
}

// walls are what stands between tenants.
type walls struct {
	run      *evidence.Run
	roster   *roster
	owner    map[string]string // tenant by key
	answered map[string]bool   // tenants
	why      tally
	culprits []uint64
}

func newWalls(run *evidence.Run, l *ledger) *walls {
	w := &walls{run: run, roster: readRoster(run), owner: map[string]string{}, answered: map[string]bool{}, why: tally{}}
	for c := range run.Calls() {
		w.own(c.Key, c.Tenant)
	}
	for _, u := range l.calls {
		w.own(u.Key, u.Tenant)
	}
	return w
}

// own gives a key to the first who is seen with it.
func (w *walls) own(key, tenant string) {
	if _, taken := w.owner[key]; !taken {
		w.owner[key] = tenant
	}
}

func (w *walls) breach(request, what string) {
	w.why[what]++
	if c, known := w.roster.request(w.run, request); known && len(w.culprits) < MaxCalls {
		w.culprits = append(w.culprits, c.Seq)
	}
}

// answer judges what a client was given.
func (w *walls) answer(c evidence.Call, l *ledger) {
	if owner := w.owner[c.Key]; owner != c.Tenant {
		w.breach(c.ID, "requests for another tenant's key")
	}
	if c.Outcome != evidence.OK {
		return
	}
	w.answered[c.Tenant] = true
	u, known := l.call(c.Answer.CallID)
	owner, owned := w.owner[c.Answer.Key]
	if c.Answer.Tenant != c.Tenant || known && u.Tenant != c.Tenant || owned && owner != c.Tenant {
		w.breach(c.ID, "answers of another tenant")
	}
}

// bill judges by whom something is paid.
func (w *walls) bill(request, tenant, key, what string) {
	owner, owned := w.owner[key]
	c, known := w.roster.request(w.run, request)
	if owned && owner != tenant || known && c.Tenant != tenant {
		w.breach(request, what+" paid by another tenant")
	}
}
