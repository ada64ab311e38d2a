package evidence

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Names of what is in a folder of a session, which has one folder for each scenario that was begun, and in each of these.
const (
	SessionFile = "run.json"     // a Session
	MutantsFile = "mutants.json" // what became of mutants, if the session ran some

	PlanFile     = "plan.json"     // a Plan; it marks the folder of a scenario
	VerdictsFile = "verdicts.json" // what the judge made of the evidence
	Dir          = "evidence"      // one file for each kind of record
	LogsDir      = "logs"          // one log per node
)

// Session is what the scenarios of one `chaos run` share, or the runs of one `chaos mutants`.
type Session struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Seed    uint64    `json:"seed"`
	Driver  string    `json:"driver"`
	NotRun  []NotRun  `json:"not_run"`
}

// NotRun is a scenario that was asked for but never started, or not by the time at which the session was written.
type NotRun struct {
	Name   string `json:"name"` // of the folder that it would have: the scenario's, or a mutant's
	Claim  string `json:"claim"`
	Reason string `json:"reason"`
}

// Write writes the session into its folder.
func (s Session) Write(dir string) error { return WriteJSON(filepath.Join(dir, SessionFile), s) }

// ReadSession reads the session of a folder: fs.ErrNotExist if there is none, ErrDamaged if it does not parse.
func ReadSession(dir string) (s Session, err error) {
	if err := ReadJSON(filepath.Join(dir, SessionFile), &s); err != nil {
		return Session{}, fmt.Errorf("read the run: %w", err)
	}
	return s, nil
}

// ReadJSON reads a file into v: ErrDamaged if it does not parse.
func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return nil
}

// WriteJSON writes v, indented, by WriteFile.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return WriteFile(path, append(b, '\n'))
}

// WriteFile writes a file in one step: a reader sees the old one or the new one, never half of it.
func WriteFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
