package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// sweepShare divides the retention: that often each replica removes claims that are of no more use. So they stay a twentieth
// longer at most.
const sweepShare = 20

// sweepBatch is how many claims go at a time, so that no statement of a sweep takes long.
const sweepBatch = 1000

// sweepSQL removes some claims that no other replica is removing. Answers stay as long as they may be given.
const sweepSQL = `
DELETE FROM claims WHERE id IN (
	SELECT id FROM claims
	WHERE lease_until < now() - $1::interval AND coalesce(expires_at, lease_until) < now() - $1::interval
	ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED)`

// Sweep removes old claims until the context ends. What it misses it finds the next time.
func (s *Store) Sweep(ctx context.Context) {
	ctx = dependency.InBackground(ctx)
	every := s.retention / sweepShare
	for backoff := (dependency.Backoff{Next: every, Most: every}); backoff.Wait(ctx) == nil; {
		_ = s.sweep(ctx, s.retention)
	}
}

// sweep removes all claims that have been over for longer than the retention.
func (s *Store) sweep(ctx context.Context, retention time.Duration) error {
	for gone := int64(sweepBatch); gone == sweepBatch; {
		err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			done, err := conn.Exec(ctx, sweepSQL, retention, sweepBatch)
			gone = done.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("remove old claims: %w", err)
		}
	}
	return nil
}
