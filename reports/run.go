package reports

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Names of the files in a run's folder.
const (
	runFile      = "run.json"
	indexFile    = "index.html"
	resultsFile  = "results.json"
	junitFile    = "junit.xml"
	summaryFile  = "summary.md"
	planFile     = "plan.json"
	verdictsFile = "verdicts.json"
	pageFile     = "report.html"
	evidenceDir  = "evidence"
	logsDir      = "logs"
)

// Run is what the scenarios of one run share; the command line saves it as run.json.
type Run struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Seed    uint64    `json:"seed"`
	Driver  string    `json:"driver"`
	NotRun  []NotRun  `json:"not_run"`
}

// NotRun is a scenario that was asked for but never started, or not by the time at which run.json was written.
type NotRun struct {
	Name   string `json:"name"`
	Claim  string `json:"claim"`
	Reason string `json:"reason"`
}

// WriteRun saves run.json in dir.
func WriteRun(dir string, r Run) error { return evidence.WriteJSON(filepath.Join(dir, runFile), r) }

// ReadRun reads run.json in dir.
func ReadRun(dir string) (Run, error) {
	var r Run
	if err := readJSON(filepath.Join(dir, runFile), &r); err != nil {
		return Run{}, fmt.Errorf("read the run: %w", err)
	}
	return r, nil
}

// unbegun are those scenarios that have left no folder either: of one that was begun when its run was killed, the folder tells.
func (r Run) unbegun(begun []*scenario) []NotRun {
	return slices.DeleteFunc(slices.Clone(r.NotRun), func(n NotRun) bool {
		return slices.ContainsFunc(begun, func(s *scenario) bool { return s.folder == n.Name })
	})
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
