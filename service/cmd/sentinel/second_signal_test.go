package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// program builds the gateway as it is shipped.
func program(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sentinel")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build it: %v\n%s", err, out)
	}
	return path
}

// process is the program, which has no stores and long to drain.
type process struct {
	cmd *exec.Cmd
	api client
}

// drains is longer than a test waits for what comes at once.
const drains = 20 * time.Second

// begin starts the program, with further variables if there are any, and waits until it listens. It is killed with the test, if it has not ended.
func begin(t *testing.T, path string, stdout *os.File, variables ...string) *process {
	t.Helper()
	listen := nobody(t)
	p := &process{cmd: exec.CommandContext(t.Context(), path), api: newClient(t, listen)}
	p.cmd.Env = append(os.Environ(), "SENTINEL_LISTEN="+listen, "SENTINEL_POSTGRES_DSN=postgres://"+nobody(t)+"/sentinel",
		"SENTINEL_REDIS_SENTINELS="+nobody(t), "SENTINEL_LLM_URL=http://"+nobody(t), "SENTINEL_DRAIN="+drains.String(), "SENTINEL_GRACE="+(2*drains).String())
	p.cmd.Env = append(p.cmd.Env, variables...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, os.Stderr
	p.cmd.SysProcAttr = servers.Tied(nil)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Wait() })
	p.api.awaitState("starting")
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// endsAtOnce wants an end that is long before that of the drain, with the code of one that is not clean.
func (p *process) endsAtOnce(t *testing.T) {
	t.Helper()
	told := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(drains / 4):
		_ = p.cmd.Process.Kill()
		<-ended
		t.Fatalf("it still ran %s later", time.Since(told))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exitDirty {
		t.Errorf("it ended with %s, not with code %d", p.cmd.ProcessState, exitDirty)
	}
}

// A first signal has the program end in order, and a second one at once, whichever they are. The log tells so.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	path := program(t)
	for _, signals := range [][2]syscall.Signal{{syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGINT},
		{syscall.SIGTERM, syscall.SIGINT}, {syscall.SIGINT, syscall.SIGTERM}} {
		t.Run(fmt.Sprintf("%s, then %s", signals[0], signals[1]), func(t *testing.T) {
			log, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			p := begin(t, path, log)
			p.signal(t, signals[0])
			p.api.awaitState("draining")
			time.Sleep(100 * time.Millisecond) // one signal is one
			if status, _ := p.api.send("GET", "/live", "", ""); status != http.StatusOK {
				t.Fatalf("after the first signal /live says %d", status)
			}
			p.signal(t, signals[1])
			p.endsAtOnce(t)
			text, err := os.ReadFile(log.Name())
			if err != nil || strings.Count(string(text), "second signal") != 1 {
				t.Errorf("the log, %v:\n%s", err, text)
			}
		})
	}
}

// jammed is a log that nobody takes. When it has been filled, what is written to it waits.
func jammed(t *testing.T) (log *os.File, fill func()) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var written atomic.Int64
	var filling sync.WaitGroup
	t.Cleanup(func() {
		_ = read.Close()
		_ = write.Close()
		filling.Wait()
	})
	return write, func() {
		filling.Go(func() {
			for line := make([]byte, 512); ; written.Add(1) {
				if _, err := write.Write(line); err != nil {
					return
				}
			}
		})
		for before := int64(-1); before != written.Load(); time.Sleep(200 * time.Millisecond) {
			before = written.Load()
		}
	}
}

// A second signal is what ends a program whose log nobody takes.
func TestSecondSignalWhileNobodyReadsTheLog(t *testing.T) {
	log, fill := jammed(t)
	p := begin(t, program(t), log)
	p.signal(t, syscall.SIGTERM)
	p.api.awaitState("draining")
	fill()
	p.signal(t, syscall.SIGTERM)
	p.endsAtOnce(t)
}

// So it does if all is done but to tell that it is.
func TestSecondSignalWhileTheLastLineWaits(t *testing.T) {
	log, fill := jammed(t)
	p := begin(t, program(t), log, "SENTINEL_DRAIN=4s") // longer than it takes to fill the log
	servers.Await(t, "Redis is found to be away", func(context.Context) error {
		if _, got := p.api.send("GET", "/health", "", ""); !strings.Contains(fmt.Sprint(got["dependencies"]), "redis:down") {
			return fmt.Errorf("it says %v", got)
		}
		return nil
	})
	time.Sleep(500 * time.Millisecond) // it tells so, and has nothing more to tell before the end
	p.signal(t, syscall.SIGTERM)
	p.api.awaitState("draining")
	fill()
	p.api.awaitStatus("the listener is closed", 0)
	p.api.http.CloseIdleConnections() // one that was never used is waited for
	time.Sleep(time.Second)           // what comes after it takes far less without stores
	p.signal(t, syscall.SIGTERM)
	p.endsAtOnce(t)
}
