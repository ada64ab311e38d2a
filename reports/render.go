package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Render reads a run's folder and writes every rendered file in it: a report.html per scenario, index.html,
// results.json, junit.xml and summary.md. Of a run of mutants the index is the matrix of mutants and checks, and there are no
// results.json, junit.xml and summary.md, where a mutant that was caught would be a failure.
func Render(runDir string, opt Options) (Results, error) {
	run, err := evidence.ReadSession(runDir)
	if err != nil {
		return Results{}, err
	}
	dirs, err := scenarioDirs(runDir)
	if err != nil {
		return Results{}, err
	}
	var measured []*scenario
	for _, dir := range dirs { // the evidence of one scenario at a time is enough to hold
		s, err := renderScenario(dir, opt)
		if err != nil {
			return Results{}, err
		}
		measured = append(measured, s)
	}
	r := results(run, measured)
	var m check.Matrix
	err = evidence.ReadJSON(filepath.Join(runDir, evidence.MutantsFile), &m)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, writeOverviews(runDir, r, newOverview(r, measured))
	case err != nil:
		return r, err
	default:
		return r, writeOverview(runDir, indexFile, func() ([]byte, error) { return mutantsIndex(newMutantsPage(r, m, measured)) })
	}
}

// RenderScenario writes report.html in the folder of one scenario.
func RenderScenario(dir string, opt Options) error {
	if _, err := evidence.ReadPlan(dir); errors.Is(err, evidence.ErrNotARun) {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the scenario's folder: %w", err)
	}
	_, err = renderScenario(dir, opt)
	return err
}

// scenarioDirs lists the folders that hold a plan, by name. The plan may be one that does not read.
func scenarioDirs(runDir string) (dirs []string, err error) {
	plans, err := fs.Glob(os.DirFS(runDir), "*/"+evidence.PlanFile)
	if err != nil {
		return nil, fmt.Errorf("list the run's folder: %w", err)
	}
	for _, plan := range plans {
		dirs = append(dirs, filepath.Join(runDir, filepath.Dir(plan)))
	}
	return dirs, nil
}

func writeOverviews(runDir string, r Results, o overview) error {
	if err := evidence.WriteJSON(filepath.Join(runDir, resultsFile), r); err != nil {
		return err
	}
	for _, out := range []struct {
		name   string
		render func() ([]byte, error)
	}{
		{junitFile, func() ([]byte, error) { return junit(r) }},
		{summaryFile, func() ([]byte, error) { return summary(r, o), nil }},
		{indexFile, func() ([]byte, error) { return index(r, o) }},
	} {
		if err := writeOverview(runDir, out.name, out.render); err != nil {
			return err
		}
	}
	return nil
}

func writeOverview(runDir, name string, render func() ([]byte, error)) error {
	b, err := render()
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return evidence.WriteFile(filepath.Join(runDir, name), b)
}
