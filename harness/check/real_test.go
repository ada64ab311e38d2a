package check_test

import (
	"archive/tar"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// realRun is a run of the gateway as it was saved. testdata/runs/README.md says how they were made.
type realRun struct {
	plan evidence.Plan
	evidence.Records
}

// openReal unpacks a saved run and reads it as any other.
func openReal(t testing.TB, archive string) *realRun {
	t.Helper()
	dir := t.TempDir()
	if err := unpack(archive, dir); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !run.Complete {
		t.Fatalf("%s is not whole", archive)
	}
	return &realRun{run.Plan, evidence.Records{Calls: slices.Collect(run.Calls()), Upstream: slices.Collect(run.Upstream()),
		Hops: slices.Collect(run.Hops()), Rows: slices.Collect(run.Rows()), Samples: slices.Collect(run.Samples()),
		Exits: slices.Collect(run.Exits()), Injections: slices.Collect(run.Injections()), Observations: slices.Collect(run.Observations()),
		Windows: slices.Collect(run.Windows()), Nodes: slices.Collect(run.Nodes()),
		Leases: slices.Collect(run.Leases()), LogLines: slices.Collect(run.LogLines())}}
}

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(bzip2.NewReader(f)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			return err
		}
	}
}

// realChecks are what every scenario of the gateway claims and takes for granted, the cheapest first.
func realChecks() []check.Check {
	c := check.Counters{Answers: "sentinel_requests_total", Hits: `sentinel_cache_total{result="hit"}`, Calls: `sentinel_llm_calls_total{outcome="ok"}`,
		Cost: "sentinel_llm_cost_nanousd_total"}
	return append(check.Assumptions(), check.NothingDropped(), check.SawHitsAndMisses(), check.Accounting(c), check.RightAnswer(), check.NoHiddenRetries(),
		check.GaugesReturnToZero("sentinel_active_requests", "sentinel_active_flights", "sentinel_active_llm_calls"),
		check.OncePerKey(), check.SameKeySameAnswer(), check.TenantIsolation(), check.NothingLeftHeld("llm"), check.NoPanics())
}

// objection is the first check that does not pass the records, or a planned fault without its certificate; empty if none.
func (r *realRun) objection(records evidence.Records) string {
	run := evidence.New(r.plan, records)
	for _, step := range r.plan.Faults {
		in, ok := run.Injection(step.Fault)
		if !ok {
			return "a planned fault was not injected"
		}
		if c := check.Certify(run, in, check.Killed); !c.Certified {
			return "certificate: " + c.Missing
		}
	}
	for _, c := range realChecks() {
		if v := c.Judge(run); v.Status != check.Pass {
			return v.Check + ": " + v.Reason
		}
	}
	return ""
}

func realRuns(t *testing.T) (archives []string) {
	t.Helper()
	archives, err := filepath.Glob("testdata/runs/*.tar.bz2")
	if err != nil || len(archives) < 3 {
		t.Fatalf("%v, %v: want three saved runs", archives, err)
	}
	return archives
}

func TestRealRunsPass(t *testing.T) {
	for _, archive := range realRuns(t) {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			r := openReal(t, archive)
			if o := r.objection(r.Records); o != "" {
				t.Error(o)
			}
		})
	}
}

// An exemption says why no check notices that a field of a record was altered, and, if only of some records, of which.
type exemption struct {
	why string
	of  func(r *realRun, record any) bool
}

// exempt are the fields whose alteration nothing need notice, as kind.Field.
func exempt() map[string]exemption {
	warm := func(id string) bool { return strings.HasPrefix(id, evidence.WarmupPrefix) }
	unbooked := func(r *realRun, record any) bool { return !record.(evidence.Upstream).Billed }
	excused := func(r *realRun, record any) bool {
		return r.disturbed(record.(evidence.Hop).At, record.(evidence.Hop).End)
	}
	unnamed := func(r *realRun, record any) bool { return !r.names(record.(evidence.Node).Name) }
	const (
		people  = "for people; no check reads it"
		opinion = "an observer says the same again and again; which single finding matters is the certificates' own table"
		look    = "one look among hundreds; what a check needs of the last ones is the gauges' and counters' own tables"
		bounds  = "where a phase ends decides nothing as long as no record changes sides"
	)
	return map[string]exemption{
		"Calls.Stage":         {people, nil},
		"Calls.Answer.Source": {"what the service says of itself; no check reads it", nil},
		"Upstream.Status":     {"read by the certificates of a failing upstream alone", nil},
		"Upstream.RetryAfter": {"read by RetryAfterHonoured alone, where the upstream asks a caller to stay away", nil},
		"Upstream.Delay":      {"read by the certificates of a slow upstream alone", nil},
		"Upstream.Prompt":     {"the price list is not part of the evidence; Cost is judged", nil},
		"Upstream.Completion": {"the price list is not part of the evidence; Cost is judged", nil},
		"Upstream.Caller":     {"nobody else knows who made a call that failed", unbooked},
		"Upstream.Cost":       {"a call that is not billed costs nothing", unbooked},
		"Upstream.Ended":      {"nobody else knows when a call that failed was over", unbooked},
		"Hops.Server":         {"of a request that was sent on, the row may be of whoever had it first", func(_ *realRun, record any) bool { return sentOnHop(record) }},
		"Hops.Retries":        {"excused while a node of the service was killed", excused},
		"Hops.Redispatched":   {"excused while a node of the service was killed", excused},
		"Hops.Termination":    {"excused while a node of the service was killed", excused},
		"Hops.At":             {"nobody else timed what only the load balancer saw", func(_ *realRun, record any) bool { return !planned(record.(evidence.Hop).RequestID) }},
		"Hops.End":            {"nobody else timed what only the load balancer saw", func(_ *realRun, record any) bool { return !planned(record.(evidence.Hop).RequestID) }},
		"Rows.ID":             {"the database's own; a second row of a request is noticed whatever its id", nil},
		"Rows.At":             {"of a request that was sent on, whoever had it first may have made the row", func(r *realRun, record any) bool { return r.sentOn(record.(evidence.Row).RequestID) }},
		"Rows.Replica": {"of a request that was sent on, whoever had it first may have made the row", func(r *realRun, record any) bool {
			return r.sentOn(record.(evidence.Row).RequestID) && !warm(record.(evidence.Row).RequestID)
		}},
		"Samples.At":           {look, nil},
		"Samples.Boot":         {"a scrape that failed tells nothing of a boot", func(_ *realRun, record any) bool { return record.(evidence.Sample).Error != "" }},
		"Samples.Values":       {look, nil},
		"Samples.Error":        {look, nil},
		"Injections.Ordered":   {"an order given earlier is as good, if the exit came after it", nil},
		"Observations.At":      {opinion, nil},
		"Observations.Source":  {opinion, nil},
		"Observations.Node":    {opinion, nil},
		"Observations.What":    {opinion, nil},
		"Observations.Detail":  {people, nil},
		"Windows.Name":         {"phases that no check reads", func(_ *realRun, record any) bool { return !decides(record) }},
		"Windows.From":         {bounds, nil},
		"Windows.To":           {bounds, nil},
		"Nodes.Name":           {"a node that no record names", unnamed},
		"Nodes.Role":           {people, nil},
		"Nodes.Addr":           {people, nil},
		"Nodes.Version":        {people, nil},
		"Nodes.Store":          {"read where a node was cut off from all stores; none was in these runs", nil},
		"Samples deleted":      {look, nil},
		"Samples doubled":      {look, nil},
		"Observations deleted": {opinion, nil},
		"Observations doubled": {opinion, nil},
		"Windows deleted":      {"phases that no check reads", func(_ *realRun, record any) bool { return !decides(record) }},
		"Windows doubled":      {"the same bounds again", nil},
		"Nodes deleted":        {"a node that no record names", unnamed},
		"Nodes doubled":        {"the same node again", func(_ *realRun, record any) bool { return !record.(evidence.Node).Subject }},
		"Injections doubled":   {"the same order again", nil},
	}
}

func planned(id string) bool { return strings.HasPrefix(id, "r") }

func sentOnHop(record any) bool {
	h := record.(evidence.Hop)
	return h.Redispatched || h.Retries > 0
}

func decides(record any) bool {
	name := record.(evidence.Window).Name
	return name == evidence.PhaseLoad || name == evidence.PhaseCollect
}

// disturbed says whether a fault of the service, of whatever kind, was on meanwhile.
func (r *realRun) disturbed(from, to time.Duration) bool {
	return slices.ContainsFunc(r.Injections, func(in evidence.Injection) bool {
		up := in.Healing
		for _, o := range r.Observations {
			if o.Node == in.Target && o.What == evidence.SawUp && o.At >= in.Healing && o.Source == evidence.SourceHAProxy {
				up = max(up, o.At)
			}
		}
		return strings.HasPrefix(in.Target, "gateway") && in.Ordered <= to && from <= up
	})
}

func (r *realRun) sentOn(id string) bool {
	return slices.ContainsFunc(r.Hops, func(h evidence.Hop) bool { return h.RequestID == id && sentOnHop(h) })
}

// names says whether a record that checks read by its node names this one.
func (r *realRun) names(node string) bool {
	return slices.ContainsFunc(r.Samples, func(s evidence.Sample) bool { return s.Node == node }) ||
		slices.ContainsFunc(r.Injections, func(in evidence.Injection) bool { return in.Target == node })
}

// spoil is one corruption: what it was called, the record before it, and all records after it.
type spoil struct {
	name   string
	record any
	after  evidence.Records
}

// spoiler draws corruptions of a run.
type spoiler struct {
	*rand.Rand
	run *realRun
}

// draw deletes, doubles or alters one record of that kind.
func (s spoiler) draw(kind, what string) (spoil, bool) {
	after := s.run.Records
	records := reflect.ValueOf(&after).Elem().FieldByName(kind)
	if records.Len() == 0 {
		return spoil{}, false
	}
	i := s.IntN(records.Len())
	before := records.Index(i).Interface()
	changed := reflect.MakeSlice(records.Type(), 0, records.Len()+1)
	switch what {
	case "deleted":
		changed = reflect.AppendSlice(reflect.AppendSlice(changed, records.Slice(0, i)), records.Slice(i+1, records.Len()))
	case "doubled":
		changed = reflect.Append(reflect.AppendSlice(changed, records), records.Index(i))
	default:
		changed = reflect.AppendSlice(changed, records)
		s.alter(fieldOf(changed.Index(i), what))
	}
	records.Set(changed)
	name := kind + " " + what
	if what != "deleted" && what != "doubled" {
		name = kind + "." + what
	}
	return spoil{name, before, after}, true
}

func fieldOf(record reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		record = record.FieldByName(name)
	}
	return record
}

// alter changes a value to another of its type: times by 10 to 30 s, either way.
func (s spoiler) alter(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(v.Int() + (1-2*s.Int64N(2))*int64(10*time.Second+time.Duration(s.Int64N(int64(20*time.Second)))))
	case v.Kind() == reflect.String:
		v.SetString("altered-" + v.String())
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.Uint64:
		v.SetUint(v.Uint() + 1 + s.Uint64N(1000))
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(map[string]float64{}))
	default:
		v.SetInt(v.Int() + 1 + s.Int64N(1000))
	}
}

// kinds lists the kinds of records, and for each the fields of its records.
func kinds() map[string][]string {
	all := map[string][]string{}
	for _, kind := range reflect.VisibleFields(reflect.TypeFor[evidence.Records]()) {
		all[kind.Name] = fieldsOf(kind.Type.Elem(), "")
	}
	return all
}

func fieldsOf(t reflect.Type, prefix string) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Type.Kind() == reflect.Struct {
			names = append(names, fieldsOf(f.Type, prefix+f.Name+".")...)
			continue
		}
		names = append(names, prefix+f.Name)
	}
	return names
}

// perField is how often each field of each kind is altered in each run, and perRecord how often records of each kind are
// deleted and doubled.
const (
	perField  = 5
	perRecord = 20
)

// TestRandomCorruptionsOfRealRunsAreNoticed: whatever is deleted, doubled or altered in a real run, some check no longer
// passes, but for the exempt fields.
func TestRandomCorruptionsOfRealRunsAreNoticed(t *testing.T) {
	exemptions := exempt()
	for _, archive := range realRuns(t) {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			s := spoiler{rand.New(rand.NewPCG(4, 2026)), openReal(t, archive)} // the same ones every time
			drawn, noticed, excused := 0, 0, 0
			attempt := func(kind, what string, times int) {
				for range times {
					c, ok := s.draw(kind, what)
					if !ok {
						return
					}
					drawn++
					if e, ok := exemptions[c.name]; ok && (e.of == nil || e.of(s.run, c.record)) {
						excused++
						continue
					}
					if s.run.objection(c.after) == "" {
						t.Errorf("nothing noticed: %s: %+v", c.name, c.record)
					}
					noticed++
				}
			}
			for _, kind := range slices.Sorted(maps.Keys(kinds())) {
				attempt(kind, "deleted", perRecord)
				attempt(kind, "doubled", perRecord)
				for _, field := range kinds()[kind] {
					attempt(kind, field, perField)
				}
			}
			t.Logf("%d corruptions: %d noticed, %d exempt", drawn, noticed, excused)
			if noticed < 350 {
				t.Errorf("only %d corruptions were judged; three runs shall have 1,000", noticed)
			}
		})
	}
}

// TestExemptionsExist: an exemption that names no field any more exempts nothing, and hides that it was one.
func TestExemptionsExist(t *testing.T) {
	known := map[string]bool{}
	for kind, fields := range kinds() {
		known[kind+" deleted"], known[kind+" doubled"] = true, true
		for _, f := range fields {
			known[kind+"."+f] = true
		}
	}
	for name, e := range exempt() {
		if !known[name] || e.why == "" {
			t.Errorf("%s: %q", name, e.why)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(slices.Sorted(maps.Keys(known))))
	}
}
