package evidence

// pool keeps one copy of strings that many records have, such as keys and names of nodes: in a run of a million requests the
// copies would be a third of all memory.
type pool map[string]string

// share replaces strings by their first copies.
func (p pool) share(strings ...*string) {
	for _, s := range strings {
		first, known := p[*s]
		if !known {
			first, p[*s] = *s, *s
		}
		*s = first
	}
}

// sharer is a record with strings that others have, too.
type sharer interface{ share(pool) }

func (c *Call) share(p pool) {
	p.share(&c.Stage, &c.Tenant, &c.Key, (*string)(&c.Outcome), &c.Reason, &c.Answer.Tenant, &c.Answer.Key, &c.Answer.Source)
}

func (u *Upstream) share(p pool) { p.share(&u.Tenant, &u.Key, &u.Caller, &u.Outcome) }

func (h *Hop) share(p pool) { p.share(&h.Server, &h.Termination) }

func (w *Row) share(p pool) { p.share(&w.Tenant, &w.Key, &w.Kind, &w.Replica, &w.Boot) }

func (s *Sample) share(p pool) { p.share(&s.Node, &s.Boot, &s.Error) }
