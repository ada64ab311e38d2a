package corrupt

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A field whose strings are few and come again and again has names in it, of nodes or outcomes say. A name that another record has
// is harder to notice than one that nobody has.
const (
	mostNames  = 16 // as many as there are nodes in a large stack
	leastTimes = 2  // that each comes, on average
)

// By how much times are altered, more than any check tolerates, and other numbers.
const (
	leastTime, mostTime = 10 * time.Second, 30 * time.Second
	mostNumber          = 1000
)

// suffixTime ends the names of fields with times, in nanoseconds.
const suffixTime = "_ns"

// field is what is known of one field of a kind's records.
type field struct {
	zero  json.RawMessage // the value where a record leaves the field out
	seen  int             // records that have it
	names map[string]bool // its strings, at most one more than mostNames
}

// see counts a value.
func (f *field) see(v json.RawMessage) {
	f.seen++
	var s string
	if len(f.names) > mostNames || v[0] != '"' || json.Unmarshal(v, &s) != nil {
		return
	}
	if f.names == nil {
		f.names = map[string]bool{}
	}
	f.names[s] = true
}

// zeroOf is the zero value of the same type as v. Of what can be empty it is null, in which nothing can be altered.
func zeroOf(v json.RawMessage) json.RawMessage {
	switch v[0] {
	case '"':
		return json.RawMessage(`""`)
	case 't', 'f':
		return json.RawMessage(`false`)
	case 'n', '{', '[':
		return json.RawMessage(`null`)
	}
	return json.RawMessage(`0`)
}

// other is another value of the same type as v, which is JSON like it. What holds others, as a map does, is emptied. There is none of
// what is empty or null.
func (f *field) other(name string, v json.RawMessage, r *rand.Rand) (other json.RawMessage, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, false
	}
	switch was := value.(type) {
	case bool:
		value = !was
	case json.Number:
		value = otherNumber(name, was, r)
	case string:
		value = f.otherString(was, r)
	case map[string]any:
		return json.RawMessage(`{}`), len(was) > 0
	case []any:
		return json.RawMessage(`[]`), len(was) > 0
	default:
		return nil, false
	}
	other, err := json.Marshal(value)
	return other, err == nil
}

// otherNumber moves a time either way, and makes any other number larger: few may be negative.
func otherNumber(name string, was json.Number, r *rand.Rand) any {
	by := 1 + r.Int64N(mostNumber)
	if strings.HasSuffix(name, suffixTime) {
		by = int64(leastTime) + r.Int64N(int64(mostTime-leastTime)+1)
		if r.IntN(2) == 0 {
			by = -by
		}
	}
	if n, err := was.Int64(); err == nil {
		return n + by
	}
	n, _ := was.Float64() // it is one, if it is no integer
	return n + float64(by)
}

// otherString is another name that occurs in the field, or else differs in one character.
func (f *field) otherString(was string, r *rand.Rand) string {
	if n := len(f.names); n > 1 && n <= mostNames && f.seen >= leastTimes*n {
		others := slices.DeleteFunc(slices.Sorted(maps.Keys(f.names)), func(s string) bool { return s == was })
		return others[r.IntN(len(others))]
	}
	if was == "" {
		return "x"
	}
	return otherCharacter([]rune(was), r)
}

const (
	hexDigits = "0123456789abcdef"
	letters   = "abcdefghijklmnopqrstuvwxyz"
)

// otherCharacter changes one character. What may be a digest in hexadecimal remains one.
func otherCharacter(s []rune, r *rand.Rand) string {
	from := letters
	if !slices.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune(hexDigits, c) }) {
		from = hexDigits
	}
	i := r.IntN(len(s))
	others := strings.ReplaceAll(from, string(s[i]), "")
	s[i] = rune(others[r.IntN(len(others))])
	return string(s)
}
