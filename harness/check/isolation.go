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
	for i, c := range run.EachCall() {
		w.asker = append(w.asker, c.Tenant)
		w.answer(i, c, l)
	}
	for i, u := range l.calls {
		w.bill(w.places.caller[i], w.keys.call[i], u.Tenant, "upstream calls")
	}
	for i, r := range run.EachRow() {
		w.bill(w.places.rowRequest[i], w.keys.row[i], r.Tenant, "rows")
		if u, known := l.at(w.places.rowCall[i]); known && u.Tenant != r.Tenant {
			w.breach(w.places.rowRequest[i], "rows of another tenant's call")
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
	places   *places
	keys     *keys
	owner    []owner         // by key
	asker    []string        // the tenant of each request
	answered map[string]bool // tenants
	why      tally
	culprits []uint64
}

func newWalls(run *evidence.Run, l *ledger) *walls {
	w := &walls{run: run, places: readPlaces(run), keys: readKeys(run), answered: map[string]bool{}, why: tally{}}
	w.owner, w.asker = make([]owner, w.keys.total), make([]string, 0, len(w.keys.request))
	for i, key := range w.keys.request {
		if !w.owner[key].taken {
			w.owner[key] = owner{run.CallAt(i).Tenant, true}
		}
	}
	for i, key := range w.keys.call {
		if !w.owner[key].taken {
			w.owner[key] = owner{l.calls[i].Tenant, true}
		}
	}
	return w
}

// owner is whose a key is: the first one's who is seen with it.
type owner struct {
	tenant string
	taken  bool
}

// foreign says whether a key, which may be none, is another tenant's.
func (w *walls) foreign(key int32, tenant string) bool {
	return key != none && w.owner[key].tenant != tenant
}

// breach notes what concerns the request at a place, which may be none.
func (w *walls) breach(request int32, what string) {
	w.why[what]++
	if request != none && len(w.culprits) < MaxCalls {
		w.culprits = append(w.culprits, w.run.CallAt(int(request)).Seq)
	}
}

// answer judges what a client was given.
func (w *walls) answer(i int, c *evidence.Call, l *ledger) {
	if w.foreign(w.keys.request[i], c.Tenant) {
		w.breach(int32(i), "requests for another tenant's key")
	}
	if c.Outcome != evidence.OK {
		return
	}
	w.answered[c.Tenant] = true
	u, known := l.at(w.places.answer[i])
	if c.Answer.Tenant != c.Tenant || known && u.Tenant != c.Tenant || w.foreign(w.keys.answer[i], c.Tenant) {
		w.breach(int32(i), "answers of another tenant")
	}
}

// bill judges by whom something is paid.
func (w *walls) bill(request, key int32, tenant, what string) {
	if w.foreign(key, tenant) || request != none && w.asker[request] != tenant {
		w.breach(request, what+" paid by another tenant")
	}
}
