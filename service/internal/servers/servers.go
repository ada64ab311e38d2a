// Package servers starts throw-away Redis and PostgreSQL servers for tests of the adapters. A test on a machine that has
// no such server is skipped, and says so.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a running server of a test. It ends with the test.
type Server struct {
	Addr string // host:port
	cmd  *exec.Cmd
}

// Pause stops the server's main process without its knowing, until Resume.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// find returns the path of a program from PATH or from where Debian puts PostgreSQL's, or skips the test.
func find(t testing.TB, program string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(paths) == 0 {
		t.Skipf("%s is not installed: the adapter is not tested here", program)
	}
	return slices.Max(paths)
}

// FreeAddr is a loopback address that nobody listens on, and that nobody else is given until the test ends: tests of other packages,
// which run at the same time, look for addresses too. A socket that does not listen keeps it. Whoever is told of it can listen there all the
// same, if they allow an address to be used again (SO_REUSEADDR), as Go, Redis and PostgreSQL do.
func FreeAddr(t testing.TB) (addr, port string) {
	t.Helper()
	number, err := keepPort(t)
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	port = strconv.Itoa(number)
	return net.JoinHostPort("127.0.0.1", port), port
}

// keepPort takes any port of the loopback until the test ends.
func keepPort(t testing.TB) (int, error) {
	syscall.ForkLock.RLock() // no child gets it
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, err
	}
	at, ok := bound.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("bound to a %T", bound)
	}
	return at.Port, nil
}

// start runs a server in a folder until the test ends; its output is shown if the test fails.
func start(t testing.TB, dir string, who *syscall.Credential, addr, program string, args ...string) *Server {
	t.Helper()
	log, err := os.CreateTemp("", "server-*.log")
	if err != nil {
		t.Fatalf("make a log file: %v", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = Tied(who)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGQUIT) // PostgreSQL's children go with it; Redis just dies
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", program, text)
		}
		_ = log.Close()
		_ = os.Remove(log.Name())
	})
	return &Server{Addr: addr, cmd: cmd}
}

// startTimeout is how long a server may take to come up, on the slowest machine imaginable.
const startTimeout = time.Minute

// Await polls until ready returns nil.
func Await(t testing.TB, what string, ready func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// folder makes a folder for a server that runs as who, and removes it after the test.
func folder(t testing.TB, who *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "server-")
	if err == nil && who != nil {
		err = os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// atoi reads a number that was written by this machine.
func atoi(t testing.TB, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(errors.Join(errors.New("read a user id"), err))
	}
	return uint32(n)
}
