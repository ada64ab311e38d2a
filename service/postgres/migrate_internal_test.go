package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
)

// silent is a connection to a server that does not reply.
type silent struct{ driver.Conn }

func (silent) Connect(context.Context) (driver.Conn, error) { return silent{}, nil }

func (silent) Driver() driver.Driver { return nil }

func (silent) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Close() error { return nil }

// TestUnlockOfASilentServer: whoever releases the migration lock does not wait for ever, though the context never ends.
func TestUnlockOfASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sql.OpenDB(silent{})
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := (advisoryLock{}).SessionUnlock(context.WithoutCancel(t.Context()), conn); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
