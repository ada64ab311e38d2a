package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
)

const identifySQL = `
SELECT k.id, o.slug FROM api_keys k JOIN organizations o ON o.id = k.organization_id
WHERE k.hash = $1 AND k.revoked_at IS NULL`

// Identify returns whose key has this hash, or service.ErrUnauthorized.
func (s *Store) Identify(ctx context.Context, hash string) (service.Identity, error) {
	var id int64
	var tenant string
	err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, identifySQL, hash).Scan(&id, &tenant)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return service.Identity{}, fmt.Errorf("look up key: %w", err)
	case tenant == "":
		return service.Identity{}, service.ErrUnauthorized
	}
	return service.Identity{Tenant: tenant, KeyID: strconv.FormatInt(id, 10)}, nil
}

// Add stores a key's hash for the tenant and returns its id. Repeated for the same hash it returns the same id.
func (s *Store) Add(ctx context.Context, tenant, hash string) (string, error) {
	var id int64
	err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, `
			WITH owner AS (
				INSERT INTO organizations (slug) VALUES ($1)
				ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id
			)
			INSERT INTO api_keys (organization_id, hash) SELECT id, $2 FROM owner
			ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id`, tenant, hash).Scan(&id)
	})
	if err != nil {
		return "", fmt.Errorf("add key: %w", err)
	}
	return strconv.FormatInt(id, 10), nil
}

// Revoke ends a key for good, or returns service.ErrNoKey. A key that was revoked before keeps its first moment, but is
// written again: only a statement that writes waits for the standby.
func (s *Store) Revoke(ctx context.Context, id string) error {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(number, 10) != id { // spelt in another way it is no id: who remembers the key would not know it by that
		return service.ErrNoKey
	}
	var revoked int64
	err = s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		done, err := conn.Exec(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1`, number)
		revoked = done.RowsAffected()
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("revoke key %s: %w", id, err)
	case revoked == 0:
		return service.ErrNoKey
	}
	return nil
}

// List returns the tenant's keys, or with "" everybody's, the newest first.
func (s *Store) List(ctx context.Context, tenant string) ([]service.Key, error) {
	keys, err := report(ctx, s, func(row pgx.CollectableRow) (service.Key, error) {
		var k service.Key
		var revoked *time.Time
		err := row.Scan(&k.ID, &k.Tenant, &k.Created, &revoked)
		if revoked != nil {
			k.Revoked = *revoked
		}
		return k, err
	}, `SELECT k.id::text, o.slug, k.created_at, k.revoked_at FROM api_keys k JOIN organizations o ON o.id = k.organization_id
		WHERE o.slug = $1 OR $1 = '' ORDER BY k.id DESC`, tenant)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}
