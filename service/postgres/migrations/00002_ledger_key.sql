-- +goose Up
-- Which API key a request came with; '' in rows that were written before, or come from a replica of an older version. It is
-- no foreign key: the ledger keeps what happened, whatever becomes of the key.
ALTER TABLE ledger ADD COLUMN key_id text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE ledger DROP COLUMN key_id;
