package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// mutantExt is how the name of a mutant's file ends.
const mutantExt = ".mutant"

// mutant is a seeded defect: edits of the service, with the scenario and the check that must catch it. Its name is that of its file
// without mutantExt.
type mutant struct {
	check.Mutant
	edits []edit   // at least one, in the order in which they are made
	files []string // that are edited, once each; slash-separated, from the module's root
}

// edit puts whole lines in the place of whole lines of a file, which must occur there exactly once.
type edit struct {
	file          string // slash-separated, from the module's root
	find, replace string // each line with its newline; an empty replace deletes
}

// errPatch says that a mutant can not be used as it is.
var errPatch = errors.New("bad mutant")

// readMutants reads every mutant of a folder, by name.
func readMutants(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+mutantExt))
	if err != nil {
		return nil, fmt.Errorf("list mutants: %w", err)
	}
	var out []mutant
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("read mutant: %w", err)
		}
		m, err := parseMutant(strings.TrimSuffix(filepath.Base(p), mutantExt), b)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// parseMutant reads a txtar archive: "Field: value" lines, then pairs of the sections "path find" and "path replace".
func parseMutant(name string, b []byte) (mutant, error) {
	archive := txtar.Parse(b)
	fields, err := parseFields(string(archive.Comment))
	if err != nil {
		return mutant{}, fmt.Errorf("%w %s: %w", errPatch, name, err)
	}
	m := mutant{Mutant: check.Mutant{Name: name, Class: fields["Class"], Defect: fields["Defect"], Scenario: fields["Scenario"], Check: fields["Check"]}}
	if m.Defect == "" || m.Scenario == "" || m.Check == "" {
		return m, fmt.Errorf("%w %s: it needs the lines Defect:, Scenario: and Check: before its first section", errPatch, name)
	}
	if m.edits, err = parseEdits(archive.Files); err != nil {
		return m, fmt.Errorf("%w %s: %w", errPatch, name, err)
	}
	for _, e := range m.edits {
		if !slices.Contains(m.files, e.file) {
			m.files = append(m.files, e.file)
		}
	}
	return m, nil
}

var field = regexp.MustCompile(`^([A-Z][a-z]*):(?: (.*))?$`)

// parseFields reads the header. A line that begins no field goes on with the one before it.
func parseFields(text string) (map[string]string, error) {
	fields, last := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch found := field.FindStringSubmatch(line); {
		case line == "":
		case found != nil && !slices.Contains([]string{"Defect", "Class", "Scenario", "Check", "Why"}, found[1]):
			return nil, fmt.Errorf("the field %s: is none of Defect:, Class:, Scenario:, Check: and Why:", found[1])
		case found != nil && fields[found[1]] != "":
			return nil, fmt.Errorf("it has the field %s: twice", found[1])
		case found != nil:
			last = found[1]
			fields[last] = found[2]
		case last == "":
			return nil, fmt.Errorf("the line %q stands before any field", line)
		default:
			fields[last] = strings.TrimSpace(fields[last] + " " + line)
		}
	}
	return fields, nil
}

// parseEdits reads the sections, which come in pairs: what to find in a file, and what to put in its place.
func parseEdits(sections []txtar.File) ([]edit, error) {
	if len(sections) == 0 {
		return nil, errors.New("it edits nothing: it needs the sections -- path find -- and -- path replace --")
	}
	var edits []edit
	for pair := range slices.Chunk(sections, 2) {
		file, ok := strings.CutSuffix(pair[0].Name, " find")
		if !ok || !filepath.IsLocal(filepath.FromSlash(file)) {
			return nil, fmt.Errorf("where -- path find -- must stand, with a path inside of the module, stands -- %s --", pair[0].Name)
		}
		if len(pair) == 1 || pair[1].Name != file+" replace" {
			return nil, fmt.Errorf("after -- %s -- must come -- %s replace --", pair[0].Name, file)
		}
		e := edit{file: file, find: string(pair[0].Data), replace: string(pair[1].Data)}
		if strings.TrimSpace(e.find) == "" {
			return nil, fmt.Errorf("-- %s -- is empty: give the lines to find", pair[0].Name)
		}
		if e.find == e.replace {
			return nil, fmt.Errorf("an edit of %s changes nothing", file)
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// apply makes the edit in the text of its file.
func (e edit) apply(text string) (string, error) {
	text = "\n" + text // so that every line has a newline before it as well
	find := "\n" + e.find
	at := strings.Index(text, find)
	if at < 0 {
		return "", fmt.Errorf("it no longer applies: %s does not have these lines, give those that have taken their place:\n%s", e.file, e.find)
	}
	if strings.Contains(text[at+1:], find) {
		return "", fmt.Errorf("it is ambiguous: %s has these lines more than once, add neighbouring lines to find and replace:\n%s", e.file, e.find)
	}
	return text[1:at+1] + e.replace + text[at+len(find):], nil
}

// patched returns the edited files' text, by their path from the module's root.
func (m mutant) patched(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, file := range m.files {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", errPatch, m.Name, err)
		}
		texts[file] = string(b)
	}
	for _, e := range m.edits {
		text, err := e.apply(texts[e.file])
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", errPatch, m.Name, err)
		}
		texts[e.file] = text
	}
	return texts, nil
}

// overlay writes the edited files below dir, and returns a file for `go build -overlay`. The module's own files stay as
// they are.
func (m mutant) overlay(root, dir string) (string, error) {
	texts, err := m.patched(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		to := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", fmt.Errorf("copy for mutant %s: %w", m.Name, err)
		}
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("copy for mutant %s: %w", m.Name, err)
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("overlay of mutant %s: %w", m.Name, err)
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, b, 0o644)
}
