package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
)

// rowsSQL writes ledger rows. A row that is there already is written again rather than skipped: only a statement that
// writes waits for the standby. A former primary may have committed alone what it seemed to have refused. Of two rows for one
// answer the call wins, since it is the one that costs.
const rowsSQL = `
INSERT INTO ledger (id, request_id, tenant, key, kind, call_id, cost_nanousd, at, replica, boot, key_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
	$8::timestamptz[], $9::text[], $10::text[], $11::text[])
ON CONFLICT (id) DO UPDATE SET
	kind = CASE WHEN excluded.kind = 'call' THEN excluded.kind ELSE ledger.kind END,
	cost_nanousd = greatest(ledger.cost_nanousd, excluded.cost_nanousd)`

// Write writes rows to the ledger, in one transaction. It is for work in the background: it keeps trying what requests
// have long given up, and its failures do not count against PostgreSQL.
func (s *Store) Write(ctx context.Context, rows []service.Row) error {
	return s.insert(ctx, rowsSQL, rows)
}

// asyncRowsSQL is rowsSQL with an asynchronous commit, which waits neither for the disk nor for the standby.
const asyncRowsSQL = `
WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO ledger (id, request_id, tenant, key, kind, call_id, cost_nanousd, at, replica, boot, key_id)
SELECT rows.* FROM soon, unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
	$8::timestamptz[], $9::text[], $10::text[], $11::text[]) AS rows
ON CONFLICT (id) DO NOTHING`

// WriteAsync writes rows to the primary's memory. It is for answers that wait while the outbox is unavailable.
func (s *Store) WriteAsync(ctx context.Context, rows []service.Row) error {
	return s.insert(ctx, asyncRowsSQL, rows)
}

func (s *Store) insert(ctx context.Context, sql string, rows []service.Row) error {
	return s.use(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		batch := &pgx.Batch{}
		queueRows(batch, sql, rows)
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("write ledger rows: %w", err)
		}
		return nil
	})
}

func queueRows(batch *pgx.Batch, sql string, rows []service.Row) {
	rows = distinct(rows)
	n := len(rows)
	ids, requests, tenants, keys := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	kinds, calls, costs, times := make([]string, n), make([]string, n), make([]int64, n), make([]time.Time, n)
	replicas, boots, keyIDs := make([]string, n), make([]string, n), make([]string, n)
	for i, r := range rows {
		ids[i], requests[i], tenants[i], keys[i] = r.ID(), r.RequestID, r.Tenant, r.Key
		kinds[i], calls[i], costs[i], times[i] = r.Kind, r.CallID, r.Cost, r.At
		replicas[i], boots[i], keyIDs[i] = r.Replica, r.Boot, r.KeyID
	}
	batch.Queue(sql, ids, requests, tenants, keys, kinds, calls, costs, times, replicas, boots, keyIDs)
}

// distinct returns the rows in the order of their ids, so that two writers of the same rows cannot deadlock. It returns one row
// per id, since a statement cannot write a row twice. The order puts a call before a hit.
func distinct(rows []service.Row) []service.Row {
	sorted := slices.SortedFunc(slices.Values(rows), func(a, b service.Row) int {
		return cmp.Or(cmp.Compare(a.ID(), b.ID()), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.CompactFunc(sorted, func(a, b service.Row) bool { return a.ID() == b.ID() })
}
