package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

type corruptCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it. Nothing in it is changed."`
}

func (cmd corruptCmd) Run(ctx context.Context, c *console) error {
	dirs, err := scenarioDirs(cmd.Dir)
	if err != nil {
		return err
	}
	code := ExitPass
	if len(dirs) == 0 {
		code = ExitUnknown
	}
	for _, dir := range dirs {
		one, err := c.corrupt(ctx, dir)
		if err != nil {
			return err
		}
		if code = maxSeverity(code, one); ctx.Err() != nil {
			break
		}
	}
	return statusOf(code)
}

// corrupt spoils the evidence of one scenario's folder, and returns the exit code that this asks for. A run that does not pass as it
// is shows nothing.
func (c *console) corrupt(ctx context.Context, dir string) (code int, err error) {
	name := filepath.Base(dir)
	t, err := c.tryCorruptions(ctx, name, dir)
	switch {
	case errors.Is(err, evidence.ErrFormat):
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, corrupt.ErrObjection), errors.Is(err, evidence.ErrDamaged), errors.Is(err, context.Canceled):
		fmt.Fprintf(c.out, "  %s %s - %s\n", words(check.Unknown), name, check.OneLine(err.Error()))
		return ExitUnknown, nil
	case err != nil:
		return 0, err
	}
	status := t.status()
	fmt.Fprintf(c.out, "  %s %s - %s\n", words(status), name, t)
	return statusCode(status), nil
}

// tryCorruptions shows the results as they come, and sums them up.
func (c *console) tryCorruptions(ctx context.Context, name, dir string) (t corruptions, err error) {
	run, err := evidence.Open(dir)
	if err != nil {
		return t, err
	}
	s, err := c.find(run.Plan.Scenario)
	if err != nil {
		return t, err
	}
	seed := run.Plan.Seed
	if v := c.getenv(envSeed); v != "" {
		if seed, err = readSeed(v); err != nil {
			return t, err
		}
	}
	for r, err := range harness.Corrupt(run, s, seed) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return t, err
		}
		if t.tried+t.exempt == 0 {
			fmt.Fprintf(c.out, "%s, seed %d\n", name, seed)
			writeRow(c.out, "KIND", "CORRUPTION", "TRIED", "NOTICED", "MISSED", "EXEMPT", "")
		}
		writeRow(c.out, r.Kind, r.What, r.Tried, r.Noticed, r.Missed(), r.Exempt, remark(r))
		t.add(r)
	}
	return t, nil
}

// writeRow writes a line of the table. Its columns have widths of their own, so that nobody waits minutes for the first one.
func writeRow(w io.Writer, kind, what string, counts ...any) {
	line := fmt.Sprintf("    %-14s %-18s %7v %8v %7v %7v  %v", append([]any{kind, what}, counts...)...)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// remark is why corruptions are exempt, and one that nobody noticed.
func remark(r corrupt.Result) string {
	remarks := r.Why
	if r.Example != "" {
		remarks = append(remarks, "missed: "+r.Example)
	}
	return strings.Join(remarks, "; ")
}

// corruptions is the sum of results.
type corruptions struct{ tried, missed, exempt int }

func (t *corruptions) add(r corrupt.Result) {
	t.tried += r.Tried
	t.missed += r.Missed()
	t.exempt += r.Exempt
}

// status is that of checks that noticed all; Unknown if they were asked of nothing.
func (t corruptions) status() check.Status {
	switch {
	case t.missed > 0:
		return check.Fail
	case t.tried == 0:
		return check.Unknown
	}
	return check.Pass
}

func (t corruptions) String() string {
	switch t.status() {
	case check.Fail:
		return fmt.Sprintf("%d of %d corruptions were noticed by no check; %d more are exempt", t.missed, t.tried, t.exempt)
	case check.Pass:
		return fmt.Sprintf("all %d corruptions were noticed; %d more are exempt", t.tried, t.exempt)
	}
	return fmt.Sprintf("there was nothing to notice: all %d corruptions are exempt", t.exempt)
}
