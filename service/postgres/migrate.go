package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the advisory lock under which one replica at a time migrates; any number does that nobody else uses.
const migrationLock = 0x7365_6e74_696e_656c

// Migrate brings the schema up to date, by a connection of its own, and then has the pool fill itself: connections that are older than the
// schema would not know the statements of requests.
func (s *Store) Migrate(ctx context.Context) error {
	db := stdlib.OpenDB(*s.pool.Config().ConnConfig)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(advisoryLock{}), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	s.migrated()
	return nil
}

// advisoryLock waits for its turn inside the server, so that a waiting replica goes on at once; goose's own asks again
// once a second at best.
type advisoryLock struct{}

// SessionLock takes the lock for the connection's session.
func (advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("take the migration lock: %w", err)
	}
	return nil
}

// unlockTimeout bounds the release of the lock, for which goose gives all the time there is. A process that is told to end may
// have to wait for it. A connection that does not reply is closed, and the lock ends with it.
const unlockTimeout = time.Second

// SessionUnlock releases the lock.
func (advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, unlockTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("release the migration lock: %w", err)
	}
	return nil
}
