package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
)

// claimSQL takes, renews or takes over a key's running claim. An asker that is refused by a running claim, or finds an answer,
// does not even try to insert: a poll then costs no commit.
const claimSQL = `
INSERT INTO claims (key, owner, state, lease_until)
SELECT $1, $2, 'running', now() + $3::interval
WHERE NOT EXISTS (SELECT FROM claims WHERE key = $1 AND state = 'running' AND owner <> $2 AND lease_until > now())
  AND NOT EXISTS (SELECT FROM claims WHERE key = $1 AND state = 'done' AND expires_at > now())
ON CONFLICT (key) WHERE state = 'running' DO UPDATE
SET owner = excluded.owner, lease_until = excluded.lease_until
WHERE claims.owner = excluded.owner OR claims.lease_until <= now()
RETURNING true`

// answerSQL reads the answer of a key and how many seconds it has left.
const answerSQL = `
SELECT answer, extract(epoch FROM expires_at - now())::float8
FROM claims WHERE key = $1 AND state = 'done' AND expires_at > now()
ORDER BY expires_at DESC LIMIT 1`

// writeAnswerRowSQL is answerSQL that also writes the asker's ledger row if there is an answer. It then makes the transaction's
// commit asynchronous: the commit waits neither for the disk nor for the standby. A claim of the same transaction is then not
// durable either. It need not be: a claim beside an answer is released at once.
const writeAnswerRowSQL = `
WITH found AS (
	SELECT answer, expires_at FROM claims WHERE key = $1 AND state = 'done' AND expires_at > now()
	ORDER BY expires_at DESC LIMIT 1
), written AS (
	INSERT INTO ledger (id, request_id, tenant, key, kind, call_id, cost_nanousd, at, replica, boot, key_id)
	SELECT coalesce(nullif($9::text, ''), $2::text) || '/' || coalesce(answer ->> 'token', answer ->> 'call_id'), $2, $3, $1, $4, answer ->> 'call_id', 0, $5, $6, $7, $8 FROM found
	ON CONFLICT (id) DO NOTHING
)
SELECT answer, extract(epoch FROM expires_at - now())::float8 FROM found WHERE set_config('synchronous_commit', 'off', true) = 'off'`

// Acquire claims the key. The answer is looked for after the claim, in the same round trip. Only a statement that starts after the
// last holder released its claim sees what that holder stored before.
func (s *Store) Acquire(ctx context.Context, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	var reply service.Reply
	err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		reply, err = acquire(ctx, conn, key, token, lease, hit)
		return err
	})
	return reply, err
}

func acquire(ctx context.Context, conn *pgxpool.Conn, key, token string, lease time.Duration, hit *service.Row) (service.Reply, error) {
	var reply service.Reply
	claimed, asked := false, time.Now()
	batch := &pgx.Batch{}
	batch.Queue(claimSQL, key, token, lease).QueryRow(func(row pgx.Row) error {
		return ignoreNoRows(row.Scan(&claimed))
	})
	look := batch.Queue(answerSQL, key)
	if hit != nil {
		look.SQL, look.Arguments = writeAnswerRowSQL, []any{key, hit.RequestID, hit.Tenant, service.RowHit, hit.At, hit.Replica, hit.Boot, hit.KeyID, hit.Serial}
	}
	look.QueryRow(func(row pgx.Row) (err error) {
		reply, err = scanAnswer(row, asked)
		reply.RowWritten = err == nil && hit != nil
		return ignoreNoRows(err)
	})
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return service.Reply{}, fmt.Errorf("claim: %w", err)
	}
	switch {
	case reply.Verdict == service.Answered && claimed:
		_ = release(ctx, conn, key, token) // what cannot be released ends with its lease; the answer is here
		return reply, nil
	case reply.Verdict == service.Answered:
		return reply, nil
	case claimed:
		return service.Reply{Verdict: service.Granted}, nil
	}
	return service.Reply{Verdict: service.Refused}, nil
}

func scanAnswer(row pgx.Row, asked time.Time) (service.Reply, error) {
	var text []byte
	var seconds float64
	if err := row.Scan(&text, &seconds); err != nil {
		return service.Reply{}, err
	}
	reply := service.Reply{Verdict: service.Answered, ExpiresAt: asked.Add(time.Duration(seconds * float64(time.Second)))}
	var err error
	reply.Answer, err = decodeAnswer(text)
	return reply, err
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// settleSQL stores an answer in the holder's own claim. PostgreSQL may have been unavailable when the flight began, and then has no
// such claim. The answer then gets a row of its own, unless somebody else holds the flight or has brought an answer. The
// statement returns whether the answer is there now, as it also is after an earlier attempt that was not acknowledged.
const settleSQL = `
WITH mine AS (
	UPDATE claims SET state = 'done', answer = $3, expires_at = now() + $4::interval
	WHERE key = $1 AND owner = $2 AND state = 'running' RETURNING true
), own AS (
	INSERT INTO claims (key, owner, state, lease_until, answer, expires_at)
	SELECT $1, $2, 'done', now(), $3, now() + $4::interval
	WHERE NOT EXISTS (SELECT FROM mine)
	  AND NOT EXISTS (SELECT FROM claims WHERE key = $1
		AND (state = 'running' AND lease_until > now() OR state = 'done' AND expires_at > now()))
	RETURNING true
)
SELECT EXISTS (SELECT FROM mine) OR EXISTS (SELECT FROM own)
	OR EXISTS (SELECT FROM claims WHERE key = $1 AND owner = $2 AND state = 'done' AND expires_at > now())`

// Settle stores the answer and the call's row in one transaction.
func (s *Store) Settle(ctx context.Context, end service.Settlement) (service.Receipt, error) {
	answer, err := encodeAnswer(end.Answer)
	if err != nil {
		return service.Receipt{}, err
	}
	var receipt service.Receipt
	err = s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		batch := &pgx.Batch{}
		batch.Queue(settleSQL, end.Key, end.Token, answer, time.Until(end.ExpiresAt)).QueryRow(func(row pgx.Row) error {
			return row.Scan(&receipt.Stored)
		})
		if end.Row != nil {
			queueRows(batch, rowsSQL, []service.Row{*end.Row})
		}
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		return nil
	})
	return receipt, err
}

// storedAnswer is an answer as jsonb can hold it: no text of jsonb has U+0000 in it.
type storedAnswer struct {
	service.Answer
	Bytes []byte `json:"text_bytes,omitempty"` // the text, in place of one that has
}

func encodeAnswer(a service.Answer) ([]byte, error) {
	stored := storedAnswer{Answer: a}
	if strings.ContainsRune(a.Text, 0) {
		stored.Text, stored.Bytes = "", []byte(a.Text)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return text, nil
}

func decodeAnswer(text []byte) (service.Answer, error) {
	var stored storedAnswer
	if err := json.Unmarshal(text, &stored); err != nil {
		return service.Answer{}, fmt.Errorf("decode answer: %w", err)
	}
	if stored.Bytes != nil {
		stored.Text = string(stored.Bytes)
	}
	return stored.Answer, nil
}

// Release releases the claim, if it is the token's.
func (s *Store) Release(ctx context.Context, key, token string) error {
	return s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return release(ctx, conn, key, token) })
}

const releaseSQL = `UPDATE claims SET state = 'failed' WHERE key = $1 AND owner = $2 AND state = 'running'`

func release(ctx context.Context, conn *pgxpool.Conn, key, token string) error {
	_, err := conn.Exec(ctx, releaseSQL, key, token)
	if err != nil {
		return fmt.Errorf("release the claim: %w", err)
	}
	return nil
}

const findSQL = `
SELECT answer, 0::float8 FROM claims
WHERE key = $1 AND state = 'done' AND expires_at > now() - $2::interval
ORDER BY expires_at DESC LIMIT 1`

// Find returns the newest answer that has not expired, or did so at most grace ago.
func (s *Store) Find(ctx context.Context, key string, grace time.Duration) (service.Answer, error) {
	var reply service.Reply
	err := s.do(ctx, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		reply, err = scanAnswer(conn.QueryRow(ctx, findSQL, key, grace), time.Time{})
		return ignoreNoRows(err)
	})
	if err == nil && reply.Verdict != service.Answered {
		err = service.ErrNoAnswer
	}
	return reply.Answer, err
}
