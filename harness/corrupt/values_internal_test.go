package corrupt

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestOtherValues: whatever JSON a field holds, its other value is of the same type and differs. There is none of what is empty.
func TestOtherValues(t *testing.T) {
	const most = 1 << 52 // a double holds it and what is added to it
	hex := regexp.MustCompile(`^[0-9a-f]+$`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Bool().AsAny(),
			rapid.Int64Range(-most, most).AsAny(),
			rapid.Float64Range(-1e9, 1e9).AsAny(),
			rapid.String().AsAny(),
			rapid.StringMatching(`[0-9a-f]{1,16}`).AsAny(),
			rapid.MapOf(rapid.String(), rapid.Float64Range(-1e9, 1e9)).AsAny(),
			rapid.SliceOf(rapid.Int()).AsAny(),
			rapid.Just[any](nil),
		).Draw(t, "value")
		was, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		is, ok := (&field{}).other("field", was, r)
		if empty := slices.Contains([]string{`{}`, `[]`, `null`}, string(was)); ok == empty {
			t.Fatalf("%s has another value: %t", was, ok)
		}
		if !ok {
			return
		}
		if !json.Valid(is) || typeOf(is) != typeOf(was) || whole(was) && !whole(is) || bytes.Equal(is, was) {
			t.Fatalf("%s becomes %s", was, is)
		}
		if s, isText := value.(string); isText && hex.MatchString(s) && (!hex.MatchString(strings.Trim(string(is), `"`)) || len(is) != len(was)) {
			t.Fatalf("%s becomes %s", was, is)
		}
	})
}

// typeOf tells types of JSON apart, and an object from an array.
func typeOf(v json.RawMessage) string {
	if zero := string(zeroOf(v)); zero != `null` {
		return zero
	}
	return string(v[0])
}

// whole reports whether v is an integer.
func whole(v json.RawMessage) bool { return typeOf(v) == `0` && !bytes.ContainsAny(v, ".e") }

// TestOtherTimes: times are moved by 10 to 30 s either way, other numbers grow by 1 to 1000.
func TestOtherTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	earlier, later := 0, 0
	for range 1000 {
		var at time.Duration
		v, ok := (&field{}).other("at_ns", json.RawMessage(`60000000000`), r)
		if err := json.Unmarshal(v, &at); err != nil || !ok {
			t.Fatal(err)
		}
		by := at - time.Minute
		if by < 0 {
			earlier++
		} else {
			later++
		}
		if by.Abs() < 10*time.Second || by.Abs() > 30*time.Second {
			t.Fatalf("moved by %s", by)
		}
		var n int
		v, _ = (&field{}).other("attempts", json.RawMessage(`3`), r)
		if err := json.Unmarshal(v, &n); err != nil || n < 4 || n > 1003 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if earlier < 400 || later < 400 {
		t.Errorf("%d earlier, %d later", earlier, later)
	}
}

// TestOtherNames: where few names come again and again, the other value is one of them.
func TestOtherNames(t *testing.T) {
	for _, c := range []struct {
		name   string
		occur  []string
		was    string
		others []string // nil: none of those that occur
	}{
		{"names", []string{"ok", "ok", "failed", "ok", "refused", "ok"}, "ok", []string{"failed", "refused"}},
		{"left out by most", []string{"", "", "", "timeout"}, "", []string{"timeout"}},
		{"one name", []string{"ok", "ok"}, "ok", nil},
		{"each its own", []string{"r1", "r2", "r3"}, "r2", nil},
		{"always empty", []string{"", ""}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &field{}
			for _, s := range c.occur {
				f.see(quoted(t, s))
			}
			for seed := range uint64(50) {
				var is string
				v, ok := f.other("what", quoted(t, c.was), rand.New(rand.NewPCG(seed, 0)))
				if err := json.Unmarshal(v, &is); err != nil || !ok {
					t.Fatalf("%s, %v", v, err)
				}
				if is == c.was || c.others != nil && !slices.Contains(c.others, is) {
					t.Fatalf("%q", is)
				}
			}
		})
	}
}

// TestManyStringsAreNoNames, however often they come; a million of them are not kept.
func TestManyStringsAreNoNames(t *testing.T) {
	f := &field{}
	for range 3 {
		for c := range rune(1000) {
			f.see(quoted(t, "id-"+string('a'+c%26)+string('a'+c/26)))
		}
	}
	if v, _ := f.other("id", quoted(t, "id-aa"), rand.New(rand.NewPCG(1, 0))); len(v) != len(`"id-aa"`) {
		t.Errorf("%s", v)
	}
	if len(f.names) > mostNames+1 {
		t.Errorf("%d strings are kept", len(f.names))
	}
}

func quoted(t *testing.T, s string) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
