package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mutant is a seeded defect: a patch against the service, with the scenario and the check that must catch it.
type mutant struct {
	Name     string // the patch's file name without .patch
	Defect   string
	Scenario string
	Check    string
	diff     []byte
	files    []string // slash-separated, from the module's root
}

// errPatch says that a mutant's patch can not be used as it is.
var errPatch = errors.New("bad mutant")

// readMutants reads every *.patch of a folder, by name.
func readMutants(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, fmt.Errorf("list mutants: %w", err)
	}
	var out []mutant
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("read mutant: %w", err)
		}
		m, err := parseMutant(strings.TrimSuffix(filepath.Base(p), ".patch"), b)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// parseMutant reads "Field: value" lines up to the first file of a unified diff.
func parseMutant(name string, b []byte) (mutant, error) {
	m := mutant{Name: name}
	head, diff, ok := bytes.Cut(b, []byte("\n--- "))
	if !ok {
		return m, fmt.Errorf("%w %s: no unified diff in it", errPatch, name)
	}
	m.diff = append([]byte("--- "), diff...)
	for line := range strings.Lines(string(head)) {
		field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch field {
		case "Defect":
			m.Defect = value
		case "Scenario":
			m.Scenario = value
		case "Check":
			m.Check = value
		}
	}
	if m.Defect == "" || m.Scenario == "" || m.Check == "" {
		return m, fmt.Errorf("%w %s: it needs the lines Defect:, Scenario: and Check: before the diff", errPatch, name)
	}
	for line := range strings.Lines(string(m.diff)) {
		if f, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/"); ok {
			m.files = append(m.files, f)
		}
	}
	if len(m.files) == 0 {
		return m, fmt.Errorf("%w %s: the diff names no file as +++ b/path", errPatch, name)
	}
	return m, nil
}

// overlay applies the patch to copies of the files it touches, below dir, and returns a file for `go build -overlay`.
// The module's own files stay as they are.
func (m mutant) overlay(ctx context.Context, root, dir string) (string, error) {
	replace := map[string]string{}
	for _, f := range m.files {
		from, to := filepath.Join(root, filepath.FromSlash(f)), filepath.Join(dir, filepath.FromSlash(f))
		b, err := os.ReadFile(from)
		if err != nil {
			return "", fmt.Errorf("%w %s: %w", errPatch, m.Name, err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", fmt.Errorf("copy for mutant %s: %w", m.Name, err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return "", fmt.Errorf("copy for mutant %s: %w", m.Name, err)
		}
		replace[from] = to
	}
	cmd := exec.CommandContext(ctx, "git", "apply", "--whitespace=nowarn", "-")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(m.diff)
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w %s: the patch no longer applies to the service: %s", errPatch, m.Name, bytes.TrimSpace(out))
	}
	file := filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("overlay of mutant %s: %w", m.Name, err)
	}
	return file, os.WriteFile(file, b, 0o644)
}
