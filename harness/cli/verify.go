package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// VerifyMutants finds what is wrong with the mutants of the module at root: those that do not apply, that do not compile, or
// that name no scenario of the App, or no check of that scenario's. It runs none of them; dir gets the edited files.
func VerifyMutants(ctx context.Context, root, dir string, a App) error {
	mutants, err := readMutants(filepath.Join(root, filepath.FromSlash(a.Mutants)))
	if err != nil {
		return err
	}
	if len(mutants) == 0 {
		return fmt.Errorf("%w: there is none in %s", errPatch, a.Mutants)
	}
	var errs []error
	for _, m := range mutants {
		errs = append(errs, m.named(a.Catalogue))
	}
	if err := errors.Join(errs...); err != nil {
		return err // at once: to compile all of them takes minutes
	}
	for _, m := range mutants {
		errs = append(errs, m.compiles(ctx, root, filepath.Join(dir, m.Name)))
	}
	return errors.Join(errs...)
}

// named returns nil if the scenario and the check that the mutant names exist, and no scenario has the mutant's own name: the folders
// of their runs would be one.
func (m mutant) named(catalogue []harness.Scenario) error {
	if slices.ContainsFunc(catalogue, func(sc harness.Scenario) bool { return sc.Name == m.Name }) {
		return fmt.Errorf("%w %s: a scenario has that name", errPatch, m.Name)
	}
	for _, sc := range catalogue {
		if sc.Name != m.Scenario {
			continue
		}
		if slices.ContainsFunc(slices.Concat(sc.Expect, check.Assumptions()), func(c check.Check) bool { return c.Name == m.Check }) {
			return nil
		}
		return fmt.Errorf("%w %s: scenario %s has no check %s", errPatch, m.Name, m.Scenario, m.Check)
	}
	return fmt.Errorf("%w %s: there is no scenario %s", errPatch, m.Name, m.Scenario)
}

// compiles builds the packages that the patch touches, and nothing of what depends on them.
func (m mutant) compiles(ctx context.Context, root, dir string) error {
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return err
	}
	args := []string{"build", "-o", os.DevNull, "-overlay", overlay}
	for _, f := range m.files {
		args = append(args, "./"+path.Dir(f))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s: it does not compile: %w: %s", errPatch, m.Name, err, bytes.TrimSpace(out))
	}
	return nil
}
