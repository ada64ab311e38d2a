package oracle_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
)

func TestStrict(t *testing.T) {
	for text, want := range map[string]any{
		`null`: nil, ` true `: true, `[]`: []any{}, `[1,-0.5e+3]`: []any{oracle.Number("1"), oracle.Number("-0.5e+3")},
		`{"a":"b","a":{}}`:        oracle.Object{{Name: "a", Value: "b"}, {Name: "a", Value: oracle.Object{}}},
		`"\ud83d\ude00\u0000\n"`:  "\U0001F600\x00\n",
		"\"\u2028\"":              "\u2028",
		"\t{\"\\u0061\" : [ ]\n}": oracle.Object{{Name: "a", Value: []any{}}},
	} {
		if got, err := oracle.Strict([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "nul", "01", "1.", "+1", ".5", "1e", "-", "[1,]", "[1 2]", `{"a"}`, `{"a":1,}`, `{a:1}`, `"`, `"\x"`, `"\u12"`, "\"\n\"",
		`"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", "{}{}", "\ufeff{}", "NaN", "'a'"} {
		if got, err := oracle.Strict([]byte(text)); err == nil {
			t.Errorf("%q is taken for %#v", text, got)
		}
	}
}

// FuzzJSON: two decoders that were written apart agree.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"\ud800\u0041",null,true]}`, "\"\xff\"", "[[[]]]", `{"a":1,"a":2}`, "01", `"\ud83d\ude00"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lenient, err := oracle.Lenient(text)
		if (err == nil) != json.Valid(text) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		if strict, err := oracle.Strict(text); err == nil && (!utf8.Valid(text) || !reflect.DeepEqual(strict, lenient)) {
			t.Errorf("%q: strictly %#v", text, strict)
		}
		if got, isText := lenient.(string); isText {
			var want string
			if err := json.Unmarshal(text, &want); err != nil || got != want {
				t.Errorf("%q: %q, not %q, %v", text, got, want, err)
			}
		}
	})
}
