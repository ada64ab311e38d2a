package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Render reads a run's folder and writes every rendered file in it: a report.html per scenario, index.html,
// results.json, junit.xml and summary.md.
func Render(runDir string) (Results, error) {
	run, err := ReadRun(runDir)
	if err != nil {
		return Results{}, err
	}
	dirs, err := scenarioDirs(runDir)
	if err != nil {
		return Results{}, err
	}
	var measured []*scenario
	for _, dir := range dirs {
		s := readScenario(dir)
		if err := s.writePage(dir); err != nil {
			return Results{}, err
		}
		s.run = nil // the evidence of one scenario at a time is enough to hold
		measured = append(measured, s)
	}
	r := results(run, measured)
	return r, writeOverviews(runDir, r, measured)
}

// RenderScenario writes report.html in the folder of one scenario.
func RenderScenario(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, planFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", dir, evidence.ErrNotARun)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the scenario's folder: %w", err)
	}
	return readScenario(dir).writePage(dir)
}

// scenarioDirs lists the folders that hold a plan, by name.
func scenarioDirs(runDir string) ([]string, error) {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return nil, fmt.Errorf("list the run's folder: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(runDir, e.Name())
		if _, err := os.Stat(filepath.Join(dir, planFile)); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func writeOverviews(runDir string, r Results, measured []*scenario) error {
	if err := evidence.WriteJSON(filepath.Join(runDir, resultsFile), r); err != nil {
		return err
	}
	rows := overviewRows(r, measured)
	for _, out := range []struct {
		name   string
		render func() ([]byte, error)
	}{
		{junitFile, func() ([]byte, error) { return junit(r) }},
		{summaryFile, func() ([]byte, error) { return summary(r, rows), nil }},
		{indexFile, func() ([]byte, error) { return index(r, rows) }},
	} {
		b, err := out.render()
		if err != nil {
			return fmt.Errorf("render %s: %w", out.name, err)
		}
		if err := writeFile(filepath.Join(runDir, out.name), b); err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces path in one step, so that a reader never sees half of a report.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
