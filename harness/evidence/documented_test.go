package evidence_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// fieldsOf are the names under which a record's fields are written.
func fieldsOf(record reflect.Type) (names []string) {
	for i := range record.NumField() {
		name, _, _ := strings.Cut(record.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// documented reads the tables of docs/EVIDENCE.md: the fields of each section that is named by one word.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "EVIDENCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	fields, section := map[string][]string{}, ""
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(name)
			continue
		}
		cells := strings.Split(line, "|")
		if section == "" || len(cells) < 4 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "field" {
			continue
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			fields[section] = append(fields[section], strings.TrimSpace(name))
		}
	}
	return fields
}

// TestEveryFieldIsDocumented, and nothing else is.
func TestEveryFieldIsDocumented(t *testing.T) {
	got := documented(t)
	want := map[string][]string{"plan": fieldsOf(reflect.TypeFor[evidence.Plan]())}
	dir := saved(t)
	kinds, err := filepath.Glob(filepath.Join(dir, "evidence", "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	records := reflect.TypeFor[evidence.Records]()
	if len(kinds) != records.NumField() {
		t.Errorf("%d files of %d kinds", len(kinds), records.NumField())
	}
	for i := range records.NumField() {
		f := records.Field(i)
		want[strings.ToLower(f.Name)] = fieldsOf(f.Type.Elem())
		if !slices.Contains(kinds, filepath.Join(dir, "evidence", strings.ToLower(f.Name)+".ndjson")) {
			t.Errorf("no file of the kind %s", f.Name)
		}
	}
	for section, fields := range want {
		slices.Sort(fields)
		slices.Sort(got[section])
		if !slices.Equal(got[section], fields) {
			t.Errorf("%s: documented %v, has %v", section, got[section], fields)
		}
		delete(got, section)
	}
	for section := range got {
		t.Errorf("documented, and nowhere to be found: %s", section)
	}
}
