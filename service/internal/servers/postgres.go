package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// StartPostgres starts a PostgreSQL server and returns the DSN of its empty database. Commits do not wait for the disk, unless
// the settings, such as fsync=on, say so.
func StartPostgres(t testing.TB, settings ...string) (dsn string) {
	t.Helper()
	who := unprivileged(t)
	dir := folder(t, who)
	if out, err := run(dir, who, find(t, "initdb"), "-D", dir, "-U", "sentinel", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		t.Skipf("initdb does not work here: %v\n%s", err, out)
	}
	return runPostgres(t, dir, who, settings...)
}

// StartPostgresPair starts a PostgreSQL server and a synchronous standby of it, for which its commits wait. It returns the DSN of
// the first one's empty database.
func StartPostgresPair(t testing.TB, settings ...string) (dsn string) {
	t.Helper()
	copyOf, who := find(t, "pg_basebackup"), unprivileged(t)
	dsn = StartPostgres(t, append(slices.Clone(settings), "synchronous_standby_names=*")...)
	dir := folder(t, who)
	if out, err := run(dir, who, copyOf, "-d", dsn, "-D", dir, "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		t.Fatalf("copy the primary: %v\n%s", err, out)
	}
	runPostgres(t, dir, who, settings...)
	Await(t, "the standby is synchronous", func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		var standbys int
		err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'`).Scan(&standbys)
		if err == nil && standbys != 1 {
			err = fmt.Errorf("%d synchronous standbys", standbys)
		}
		return err
	})
	return dsn
}

// run runs a program to its end and returns what it printed.
func run(dir string, who *syscall.Credential, program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	return cmd.CombinedOutput()
}

// runPostgres starts a server on the data that is in dir, and waits until it answers.
func runPostgres(t testing.TB, dir string, who *syscall.Credential, settings ...string) (dsn string) {
	t.Helper()
	addr, port := FreeAddr(t)
	args := []string{"-D", dir, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	start(t, dir, who, addr, find(t, "postgres"), args...)
	host, _, _ := net.SplitHostPort(addr)
	dsn = fmt.Sprintf("postgres://sentinel@%s:%s/postgres?sslmode=disable", host, port)
	Await(t, "PostgreSQL answers", func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	return dsn
}

// unprivileged is the user to run PostgreSQL as, which refuses to be root; nil for the present one.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return &syscall.Credential{Uid: atoi(t, u.Uid), Gid: atoi(t, u.Gid)}
		}
	}
	t.Skip("PostgreSQL refuses to run as root, and there is no other user")
	return nil
}
