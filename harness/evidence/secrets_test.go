package evidence_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestSecrets: a secret never gets into the evidence, in whatever kind of record it comes, and is told once for each place.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	rec := recorder(t, dir)
	rec.KeepSecret("the key", "k3y")
	rec.KeepSecret("nothing", "")
	rec.KeepSecret("the address", "10.0.0.7", evidence.LeakResponses)
	for range 2 {
		evidence.Samples.Put(rec, evidence.Sample{Node: "app-1", Values: map[string]float64{`seen{key="k3y"}`: 1}})
		evidence.Observations.Put(rec, evidence.Observation{Node: "app-1", Detail: "k3y k3y"})
		if got := string(rec.Inspect(evidence.LeakResponses, "r-1", []byte("the k3y is here"))); got != "the [secret: the key] is here" {
			t.Errorf("%q", got)
		}
		if got := string(rec.Inspect(evidence.LeakResponses, "r-2", []byte("of 10.0.0.7"))); got != "of [secret: the address]" {
			t.Errorf("%q", got)
		}
		if got := string(rec.Inspect(evidence.LeakLogs, "app-1", []byte("of 10.0.0.7"))); got != "of 10.0.0.7" {
			t.Errorf("%q", got)
		}
		if got := string(rec.Inspect(evidence.LeakLogs, "app-1", []byte("clean"))); got != "clean" {
			t.Errorf("%q", got)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, evidence.Dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err != nil || strings.Contains(string(text), "k3y") {
			t.Errorf("%s: %s, %v", f, text, err)
		}
	}
	run := open(t, dir)
	var found []string
	for _, l := range evidence.Leaks.Each(run) {
		found = append(found, l.Secret+" in "+l.Place+" of "+l.Detail)
	}
	slices.Sort(found)
	want := []string{"the address in responses of r-2", "the key in records of samples", "the key in responses of r-1"}
	if !slices.Equal(found, want) || len(evidence.Samples.Of(run)) != 2 || run.Err() != nil {
		t.Errorf("%q, %d samples, %v", found, len(evidence.Samples.Of(run)), run.Err())
	}
	var none *evidence.Recorder
	if got := string(none.Inspect(evidence.LeakLogs, "", []byte("k3y"))); got != "k3y" {
		t.Errorf("%q", got)
	}
}
