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

// TestEveryFieldIsDocumented, and no other of these records. Other sections are of kinds that systems add.
func TestEveryFieldIsDocumented(t *testing.T) {
	got := documented(t)
	want := map[string][]string{"plan": fieldsOf(reflect.TypeFor[evidence.Plan]())}
	for _, k := range kinds() {
		want[k.name] = fieldsOf(k.record)
	}
	for section, fields := range want {
		slices.Sort(fields)
		slices.Sort(got[section])
		if !slices.Equal(got[section], fields) {
			t.Errorf("%s: documented %v, has %v", section, got[section], fields)
		}
	}
}
