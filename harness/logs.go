package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"golang.org/x/sync/errgroup"
)

// saveLogs keeps what every node wrote, also after a failed start, when it is wanted most, and records the defects that
// programs of ours report there.
func (r *runner) saveLogs() {
	ctx, cancel := context.WithTimeout(context.Background(), collectLimit)
	defer cancel()
	dir := filepath.Join(r.Dir, evidence.LogsDir)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var g errgroup.Group
		for _, n := range r.env.Nodes() {
			g.Go(func() error {
				path := filepath.Join(dir, n.Name+".log")
				err := saveLog(ctx, n, path, func(d evidence.LogDefect) { evidence.LogDefects.Put(r.rec, d) })
				return errors.Join(err, r.inspectLog(n, path))
			})
		}
		err = g.Wait()
	}
	if err != nil {
		r.probeFailed(evidence.ProbeLogs, err)
		return
	}
	r.probeCollected(evidence.ProbeLogs)
	if len(r.env.Secrets()) > 0 {
		r.probeCollected(evidence.ProbeSecrets)
	}
}

// keepSecrets has the system's secrets be looked for from now on, and in what its programs were started with. Clients are to learn of no
// node but the one that they ask, and logs and records have nothing of what is confidential to them.
func (r *runner) keepSecrets() {
	for name, value := range r.env.Secrets() {
		r.rec.KeepSecret(name, value)
	}
	for _, part := range r.Load.Confidential {
		r.rec.KeepSecret("what clients ask or are told", part, evidence.LeakLogs, evidence.LeakRecords)
	}
	target, _ := url.Parse(r.env.Target().URL)
	for _, n := range r.env.Nodes() {
		if target == nil || n.Addr != target.Hostname() {
			r.rec.KeepSecret("the address of "+n.Name, n.Addr, evidence.LeakResponses)
		}
		if n.Subject {
			r.rec.Inspect(evidence.LeakArguments, n.Name, []byte(strings.Join(n.Argv, " ")))
		}
	}
}

// inspectLog looks for secrets in the log of a node of the service, and takes them out.
func (r *runner) inspectLog(n *env.Node, path string) error {
	if !n.Subject {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if clean := r.rec.Inspect(evidence.LeakLogs, n.Name, text); !bytes.Equal(clean, text) {
		return os.WriteFile(path, clean, 0o644)
	}
	return nil
}

func saveLog(ctx context.Context, n *env.Node, path string, found func(evidence.LogDefect)) error {
	logs, err := n.Logs(ctx)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", n.Name, err)
	}
	defer logs.Close()
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", n.Name, err)
	}
	if n.Subject || n.Program.Go != "" {
		err = scanLog(io.TeeReader(logs, f), n.Name, found)
	} else {
		_, err = io.Copy(f, logs)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("logs of %s: %w", n.Name, err)
	}
	return nil
}

// What is kept of a report in a log: enough to show where it happened.
const (
	keptLines = 30
	keptBytes = 4 << 10 // of one line
)

// scanLog reads a log to its end and tells of each defect that a Go program reports in it.
func scanLog(r io.Reader, node string, found func(evidence.LogDefect)) error {
	var report *evidence.LogDefect
	kept := 0
	tell := func() {
		if report != nil {
			found(*report)
		}
		report = nil
	}
	br := bufio.NewReaderSize(r, 1<<16)
	for n := uint64(1); ; n++ {
		line, err := readLine(br)
		what := defect(line)
		switch {
		case what != "":
			tell()
			report, kept = &evidence.LogDefect{Node: node, Line: n, What: what, Text: line}, 1
		case line == "" && err != nil: // behind the last line
		case report != nil && kept < keptLines && !strings.HasPrefix(line, "{"): // which begins the next entry of a JSON log
			report.Text += "\n" + line
			kept++
		default:
			tell()
		}
		if err != nil {
			tell()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// readLine reads to the end of the line and returns the first keptBytes of it.
func readLine(br *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part[:min(len(part), keptBytes-min(len(line), keptBytes))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(line), "\r\n"), err
		}
	}
}

// defect says what a line reports; empty if nothing. The runtime and the race detector write theirs at the start of a line,
// net/http and whoever else recovers from a panic somewhere in it.
func defect(line string) string {
	switch {
	case strings.HasPrefix(line, "fatal error: "), strings.HasPrefix(line, "SIGSEGV: "), strings.HasPrefix(line, "SIGBUS: "):
		return evidence.LogFatal
	case strings.HasPrefix(line, "WARNING: DATA RACE"):
		return evidence.LogRace
	case strings.HasPrefix(line, "\t"): // a panic while panicking belongs to the first
		return ""
	}
	for _, mark := range []string{"panic: ", "panicked: ", "panic serving "} {
		if strings.Contains(line, mark) {
			return evidence.LogPanic
		}
	}
	return ""
}
