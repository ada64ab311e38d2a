package evidence

import (
	"bytes"
	"slices"
	"sync"
)

// secrets are what must not be found, and what was.
type secrets struct {
	mu    sync.Mutex
	kept  []secret
	found map[Leak]bool // without time and detail
}

type secret struct {
	name   string
	value  []byte
	places []string // where it must not be found; nowhere if there are none
}

// KeepSecret has a value be looked for in all that is inspected from now on, or only in the places that are given. An empty one is none.
func (r *Recorder) KeepSecret(name, value string, places ...string) {
	r.secrets.mu.Lock()
	defer r.secrets.mu.Unlock()
	if value != "" {
		r.secrets.kept = append(slices.Clone(r.secrets.kept), secret{name, []byte(value), places})
	}
}

// in reports whether a text at that place tells the secret.
func (s secret) in(place string, text []byte) bool {
	return (len(s.places) == 0 || slices.Contains(s.places, place)) && bytes.Contains(text, s.value)
}

// Inspect looks for secrets in a text, records those that it finds, and returns the text with their names in their place. Without
// a recorder, as in a warm-up, it returns the text as it is.
func (r *Recorder) Inspect(place, detail string, text []byte) []byte {
	if r == nil {
		return text
	}
	r.secrets.mu.Lock()
	kept := r.secrets.kept
	r.secrets.mu.Unlock()
	for _, s := range kept {
		if s.in(place, text) {
			text = bytes.ReplaceAll(text, s.value, []byte("[secret: "+s.name+"]"))
			r.leaked(Leak{Secret: s.name, Place: place}, detail)
		}
	}
	return text
}

func (r *Recorder) leaked(l Leak, detail string) {
	r.secrets.mu.Lock()
	known := r.secrets.found[l]
	if r.secrets.found == nil {
		r.secrets.found = map[Leak]bool{}
	}
	r.secrets.found[l] = true
	r.secrets.mu.Unlock()
	if !known {
		l.At, l.Detail = r.Now(), detail
		Leaks.Put(r, l)
	}
}
