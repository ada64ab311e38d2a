package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Where the track record is kept, from the module's root, and the lines of the front page that it stands between.
const (
	recordFile  = "reports/track-record.json"
	frontPage   = "README.md"
	recordBegin = "<!-- The track record. `chaos record` writes it. -->\n"
	recordEnd   = "<!-- End of the track record. -->\n"
)

// resultsFile is what reports leave of a run of scenarios.
const resultsFile = "results.json"

type recordCmd struct {
	Dirs []string `arg:"" optional:"" help:"Folders of runs, of scenarios or of mutants; without any, the front page is written anew from what is recorded."`
}

func (cmd recordCmd) Run(c *console) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	known, err := readMutants(filepath.Join(root, filepath.FromSlash(c.Mutants)))
	if err != nil {
		return err
	}
	r, err := readRecord(root)
	if err != nil {
		return err
	}
	for _, dir := range cmd.Dirs {
		if err := r.add(dir); err != nil {
			return err
		}
	}
	r.keep(known)
	block := r.block(known)
	page, err := withRecord(root, block)
	if err != nil {
		return err
	}
	file := filepath.Join(root, filepath.FromSlash(recordFile))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := evidence.WriteJSON(file, r); err != nil {
		return err
	}
	fmt.Fprint(c.out, block)
	return evidence.WriteFile(filepath.Join(root, frontPage), []byte(page))
}

// trackRecord is what came of the runs that somebody recorded.
type trackRecord struct {
	Runs    []recordedRun    `json:"runs"`    // by time
	Mutants []recordedMutant `json:"mutants"` // by name
}

// recordedRun is a run of the service without a defect: of scenarios, or of the controls of mutants.
type recordedRun struct {
	Run          string    `json:"run"`
	Started      time.Time `json:"started"`
	Scenarios    int       `json:"scenarios"` // that were run
	Failed       []string  `json:"failed"`
	Inconclusive []string  `json:"inconclusive"`
}

// recordedMutant is what became of a mutant when it was last run.
type recordedMutant struct {
	Name    string              `json:"name"`
	Outcome check.MutantOutcome `json:"outcome"`
	Run     string              `json:"run"`
	Started time.Time           `json:"started"` // the run
}

// readRecord reads the record of the module at root; one that is not there is empty.
func readRecord(root string) (trackRecord, error) {
	r := trackRecord{Runs: []recordedRun{}, Mutants: []recordedMutant{}}
	err := evidence.ReadJSON(filepath.Join(root, filepath.FromSlash(recordFile)), &r)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return r, err
}

// add takes in a folder of a run. One that is recorded already is replaced.
func (r *trackRecord) add(dir string) error {
	var m check.Matrix
	err := evidence.ReadJSON(filepath.Join(dir, evidence.MutantsFile), &m)
	if errors.Is(err, fs.ErrNotExist) {
		return r.addScenarios(dir)
	}
	if err != nil {
		return err
	}
	s, err := evidence.ReadSession(dir)
	if err != nil {
		return err
	}
	run := newRecordedRun(s.Run, s.Started)
	for _, c := range m.Controls {
		if len(c.Verdicts) > 0 {
			run.count(c.Scenario, c.Status)
		}
	}
	r.putRun(run)
	for _, row := range m.Mutants {
		if row.Outcome != check.MutantNotRun {
			r.putMutant(recordedMutant{row.Name, row.Outcome, s.Run, s.Started})
		}
	}
	return nil
}

func (r *trackRecord) addScenarios(dir string) error {
	var results struct {
		Run       string    `json:"run"`
		Started   time.Time `json:"started"`
		Scenarios []struct {
			Name   string `json:"name"`
			Status string `json:"status"`
		} `json:"scenarios"`
	}
	err := evidence.ReadJSON(filepath.Join(dir, resultsFile), &results)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has neither %s nor %s", errUsage, dir, resultsFile, evidence.MutantsFile)
	}
	if err != nil {
		return err
	}
	run := newRecordedRun(results.Run, results.Started)
	for _, s := range results.Scenarios {
		var status check.Status
		if status.UnmarshalText([]byte(s.Status)) == nil { // which it is not of one that was skipped
			run.count(s.Name, status)
		}
	}
	r.putRun(run)
	return nil
}

func newRecordedRun(id string, started time.Time) recordedRun {
	return recordedRun{Run: id, Started: started, Failed: []string{}, Inconclusive: []string{}}
}

func (r *recordedRun) count(scenario string, s check.Status) {
	r.Scenarios++
	switch s {
	case check.Fail:
		r.Failed = append(r.Failed, scenario)
	case check.Unknown:
		r.Inconclusive = append(r.Inconclusive, scenario)
	}
}

func (r *trackRecord) putRun(run recordedRun) {
	r.Runs = slices.DeleteFunc(r.Runs, func(old recordedRun) bool { return old.Run == run.Run })
	if run.Scenarios > 0 {
		r.Runs = append(r.Runs, run)
	}
	slices.SortFunc(r.Runs, func(a, b recordedRun) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Run, b.Run)) })
}

// putMutant keeps the newest outcome.
func (r *trackRecord) putMutant(m recordedMutant) {
	at, known := slices.BinarySearchFunc(r.Mutants, m.Name, func(old recordedMutant, name string) int { return cmp.Compare(old.Name, name) })
	switch {
	case !known:
		r.Mutants = slices.Insert(r.Mutants, at, m)
	case !m.Started.Before(r.Mutants[at].Started):
		r.Mutants[at] = m
	}
}

// keep forgets mutants that are there no more.
func (r *trackRecord) keep(known []mutant) {
	r.Mutants = slices.DeleteFunc(r.Mutants, func(m recordedMutant) bool { return place(known, m.Name) < 0 })
}

// place is where the mutant of that name stands, -1 if there is none.
func place(mutants []mutant, name string) int {
	return slices.IndexFunc(mutants, func(m mutant) bool { return m.Name == name })
}

// block is the record as the front page has it.
func (r trackRecord) block(known []mutant) string {
	if len(r.Runs)+len(r.Mutants) == 0 {
		return "No runs recorded yet.\n"
	}
	var b strings.Builder
	all, classes := r.shares(known)
	fmt.Fprintf(&b, "As of %s:\n\n", r.newest().UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "- **Mutants:** %d of %d were tried. %s of these were caught, %s by the check that is named for them.\n", all.Mutants, len(known),
		part(all.Caught, all.Mutants), part(all.Named, all.Mutants))
	if missed := r.missed(); len(missed) > 0 {
		fmt.Fprintf(&b, "- **Not caught:** %s.\n", strings.Join(missed, ", "))
	}
	r.writeAlarms(&b)
	if len(classes) > 0 {
		fmt.Fprint(&b, "\n| class | mutants tried | caught | by the named check |\n|---|---|---|---|\n")
	}
	for _, c := range classes {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d |\n", c.Class, c.Mutants, c.Caught, c.Named)
	}
	return b.String()
}

func (r trackRecord) newest() (t time.Time) {
	for _, run := range r.Runs {
		t = newer(t, run.Started)
	}
	for _, m := range r.Mutants {
		t = newer(t, m.Started)
	}
	return t
}

func newer(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// shares counts the mutants that were tried, by the classes that they have now.
func (r trackRecord) shares(known []mutant) (all check.Share, classes []check.Share) {
	var m check.Matrix
	for _, tried := range r.Mutants {
		if i := place(known, tried.Name); i >= 0 {
			m.Mutants = append(m.Mutants, check.MutantRow{Mutant: known[i].Mutant, Outcome: tried.Outcome})
		}
	}
	return m.Shares()
}

func (r trackRecord) missed() (names []string) {
	for _, m := range r.Mutants {
		if m.Outcome != check.MutantCaught && m.Outcome != check.MutantCaughtOther {
			names = append(names, fmt.Sprintf("`%s` (%s)", m.Name, m.Outcome))
		}
	}
	return names
}

// writeAlarms says how often scenarios failed without a defect.
func (r trackRecord) writeAlarms(b *strings.Builder) {
	scenarios, failed, inconclusive := 0, []string{}, 0
	for _, run := range r.Runs {
		scenarios += run.Scenarios
		inconclusive += len(run.Inconclusive)
		for _, name := range run.Failed {
			failed = append(failed, fmt.Sprintf("`%s` (%s)", name, run.Run))
		}
	}
	fmt.Fprintf(b, "- **False alarms:** the service without a defect was run through a scenario %d times, in %d runs: %d failed, %d inconclusive. With 95 %% confidence, at most %.2f %% fail.\n",
		scenarios, len(r.Runs), len(failed), inconclusive, 100*mostLikely(len(failed), scenarios))
	if len(failed) > 0 {
		fmt.Fprintf(b, "- **Failed without a defect:** %s.\n", strings.Join(failed, ", "))
	}
}

// part is a number of so many, and its share.
func part(n, of int) string {
	if of == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d (%.1f %%)", n, 100*float64(n)/float64(of))
}

// doubt is how likely it is that a bound is exceeded all the same.
const doubt = 0.05

// mostLikely is the upper bound of a share of which so many were seen in so many trials: the one-sided bound of Clopper and Pearson. Any
// higher share would show as few with a probability below doubt. Of none in n trials it is a little less than 3/n.
func mostLikely(seen, trials int) float64 {
	if seen >= trials {
		return 1
	}
	low, high := 0.0, 1.0
	for range 60 { // halvings, far below what is printed
		if middle := (low + high) / 2; atMost(seen, trials, middle) < doubt {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// atMost is the probability of at most seen in so many trials, of each of which it is p, more than 0 and less than 1.
func atMost(seen, trials int, p float64) (sum float64) {
	one := math.Exp(float64(trials) * math.Log1p(-p)) // of none
	for i := range seen + 1 {
		sum += one
		one *= float64(trials-i) / float64(i+1) * p / (1 - p)
	}
	return sum
}

// withRecord is the text of the front page of the module at root with this record in it.
func withRecord(root, block string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, frontPage))
	if err != nil {
		return "", fmt.Errorf("read the front page: %w", err)
	}
	before, rest, begins := strings.Cut(string(b), recordBegin)
	_, after, ends := strings.Cut(rest, recordEnd)
	if !begins || !ends {
		return "", fmt.Errorf("%w: %s lacks the lines %q and %q", errUsage, frontPage, recordBegin, recordEnd)
	}
	return before + recordBegin + "\n" + block + "\n" + recordEnd + after, nil
}
