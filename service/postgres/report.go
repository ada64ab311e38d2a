package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
)

// report asks for what an administrator wants to know. It may take longer than any request's budget, so its failures do not
// count against PostgreSQL. One report at a time is made, so that reports do not take the requests' connections.
func report[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) (found []T, err error) {
	select {
	case s.reports <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.reports }()
	err = s.use(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scan)
		return err
	})
	return found, err
}

// Usage sums up the tenant's ledger by API key, from the first moment on and before the second one.
func (s *Store) Usage(ctx context.Context, tenant string, from, to time.Time) ([]service.Usage, error) {
	usage, err := report(ctx, s, pgx.RowToStructByPos[service.Usage], `
		SELECT key_id, count(*), count(*) FILTER (WHERE kind = 'call'), sum(cost_nanousd)::bigint FROM ledger
		WHERE tenant = $1 AND at >= $2 AND at < $3 GROUP BY key_id ORDER BY key_id`, tenant, from, to)
	if err != nil {
		return nil, fmt.Errorf("sum up the usage of %s: %w", tenant, err)
	}
	return usage, nil
}
