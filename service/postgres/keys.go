package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
)

// Tenant returns the slug of the organisation that owns the key with this hash.
func (s *Store) Tenant(ctx context.Context, hash string) (string, error) {
	slug := ""
	err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, `SELECT o.slug FROM api_keys k JOIN organizations o ON o.id = k.organization_id
			WHERE k.hash = $1 AND k.revoked_at IS NULL`, hash).Scan(&slug)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("look up key: %w", err)
	case slug == "":
		return "", service.ErrUnauthorized
	}
	return slug, nil
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
