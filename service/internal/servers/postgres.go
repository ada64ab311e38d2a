package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// StartPostgres starts a PostgreSQL server and returns the DSN of its empty database. Commits do not wait for the disk, unless
// the settings, such as fsync=on, say so.
func StartPostgres(t testing.TB, settings ...string) (dsn string) {
	t.Helper()
	initdb, postgres := find(t, "initdb"), find(t, "postgres")
	who := unprivileged(t)
	dir := folder(t, who)
	init := exec.Command(initdb, "-D", dir, "-U", "sentinel", "-A", "trust", "-E", "UTF8", "--no-sync")
	init.Dir = dir
	init.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := init.CombinedOutput(); err != nil {
		t.Skipf("initdb does not work here: %v\n%s", err, out)
	}
	addr, port := FreeAddr(t)
	args := []string{"-D", dir, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	start(t, dir, who, addr, postgres, args...)
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
