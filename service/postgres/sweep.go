package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// sweepEvery is how often each replica removes claims that are of no more use.
const sweepEvery = 30 * time.Second

// sweepSQL removes a few claims at a time, so that no sweep ever takes long. Answers stay as long as they may be given.
const sweepSQL = `
DELETE FROM claims WHERE id IN (
	SELECT id FROM claims
	WHERE lease_until < now() - $1::interval AND coalesce(expires_at, lease_until) < now() - $1::interval
	ORDER BY lease_until LIMIT 1000)`

// Sweep removes old claims until the context ends. What it misses it finds the next time.
func (s *Store) Sweep(ctx context.Context) {
	for pause := (patience.Pause{Next: sweepEvery, Most: sweepEvery}); pause.Wait(ctx) == nil; {
		_ = s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			_, err := conn.Exec(ctx, sweepSQL, s.retention)
			return err
		})
	}
}
