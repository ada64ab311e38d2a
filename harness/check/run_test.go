package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestFaults: a check finds a fault by its name if it was ordered and is confirmed, and is told what is missing otherwise.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(*history)
		fault string
		err   string // empty for none
	}{
		"confirmed":                 {unchanged, outageFault, ""},
		"never ordered":             {unchanged, "break store-2", `fault "break store-2" was never ordered`},
		"not confirmed":             {unconfirmed, outageFault, `fault "break store-1" is not confirmed: nobody saw it`},
		"not a fault of this build": {func(h *history) { h.faults = nil }, outageFault, "the scenario does not have it"},
	} {
		h := outage()
		c.alter(h)
		f, err := h.run().Fault(c.fault)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if want := (evidence.Span{From: seconds(20), To: seconds(30.2)}); err == nil && f.Span() != want {
			t.Errorf("%s: %v, want %v", name, f.Span(), want)
		}
	}
}

func TestConfirmedFaultsOfAKind(t *testing.T) {
	h := scripted(evidence.FaultKill)
	h.inject(evidence.FaultTerm, "app-1", seconds(20), seconds(20), seconds(21), seconds(22))
	h.inject(evidence.FaultPause, "app-1", seconds(23), seconds(23), seconds(24), seconds(25))
	unconfirmed(h)
	var names []string
	for _, f := range h.run().Confirmed(evidence.FaultKill, evidence.FaultTerm) {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"term app-1"}) {
		t.Errorf("%q", names)
	}
}

// TestUnderFault: a fault that nobody confirmed may have been on the node all the same.
func TestUnderFault(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(*history)
		node  string
		want  []evidence.Span
	}{
		"healed":             {unconfirmed, victim, []evidence.Span{{From: seconds(14), To: seconds(17)}}},
		"the heal failed":    {undoFailed, victim, []evidence.Span{{From: seconds(14), To: evidence.Forever}}},
		"never healed":       {func(h *history) { h.injections[0].Healing = 0 }, victim, []evidence.Span{{From: seconds(14), To: evidence.Forever}}},
		"another node":       {unchanged, "app-1", nil},
		"of a kind not told": {func(h *history) { h.injections[0].Kind = evidence.FaultLatency }, victim, nil},
	} {
		h := scripted(evidence.FaultKill)
		c.alter(h)
		if got := h.run().UnderFault(c.node, evidence.FaultKill, evidence.FaultTerm); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestClasses(t *testing.T) {
	h := outage()
	classes, err := h.run().Classes()
	if err != nil || classes.Name(0) != quick || classes.Name(1) != slow || !classes.Is(0, nil) || classes.Is(0, []string{slow}) {
		t.Errorf("%v of %v", err, classes.Names)
	}
	h.classify = func(*evidence.Run) (check.Classes, error) {
		return check.Classes{Names: []string{"all"}, Of: make([]uint8, len(h.requests))}, nil
	}
	if classes, err = h.run().Classes(); err != nil || classes.Name(1) != "all" {
		t.Errorf("%v of %v", err, classes.Names)
	}
	h.classify = nil
	for i := range h.requests {
		h.requests[i].Class = fmt.Sprint(i)
	}
	if _, err := h.run().Classes(); err == nil || !strings.Contains(err.Error(), "more than 16 classes") {
		t.Errorf("%v", err)
	}
}

func TestFindings(t *testing.T) {
	var f check.Findings
	if f.N() != 0 || f.String() != "" || len(f.Requests()) != 0 {
		t.Errorf("nothing is %d: %s", f.N(), &f)
	}
	f.Add("late", 1)
	f.Add("lost", 2, 3)
	f.Add("odd")
	for i := range uint64(100) {
		f.Add("lost", 4+i)
	}
	if f.N() != 103 || f.Count("lost") != 101 || f.String() != "101 lost, 1 late, 1 odd" {
		t.Errorf("%d: %s", f.N(), &f)
	}
	if r := f.Requests(); len(r) != check.MaxRequests || r[0] != 1 || r[2] != 3 {
		t.Errorf("%v", r)
	}
	if v := check.Failf(nil, make([]uint64, 1000), "many"); len(v.Requests) != check.MaxRequests {
		t.Errorf("%d requests", len(v.Requests))
	}
}

// TestDamagedEvidenceProvesNothing: damage shows when records are read, in the middle of a check.
func TestDamagedEvidenceProvesNothing(t *testing.T) {
	dir := t.TempDir()
	h := scripted("")
	collected(evidence.ProbeLogs)(h)
	if err := suite().Save(h.run().Run, dir); err != nil {
		t.Fatal(err)
	}
	whole, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	clean := check.NoPanics()
	if v := clean.Judge(check.NewRun(whole, nil, nil)); v.Status != check.Pass {
		t.Fatalf("%s: %s", v.Status, v.Reason)
	}
	path := filepath.Join(dir, "evidence", "observations.ndjson")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = '['
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	damaged, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := clean.Judge(check.NewRun(damaged, nil, nil)); v.Status != check.Unknown || !strings.Contains(v.Reason, evidence.ErrDamaged.Error()) {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

func TestLastResponse(t *testing.T) {
	h := outage()
	h.requests[3].End = time.Minute
	if got := check.LastResponse(h.evidence()); got != time.Minute {
		t.Errorf("%s", got)
	}
}
