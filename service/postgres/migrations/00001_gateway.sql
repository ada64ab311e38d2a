-- +goose Up
CREATE TABLE organizations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX organizations_created_at ON organizations (created_at DESC);

CREATE TABLE api_keys (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES organizations (id),
    hash            text NOT NULL UNIQUE, -- SHA-256 of the key in hexadecimal; the key itself is nowhere
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz
);
CREATE INDEX api_keys_organization_id ON api_keys (organization_id);

-- A running claim is the right to call the upstream for a key; a done one keeps the answer.
CREATE TABLE claims (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL,
    owner       text NOT NULL, -- token of the flight that holds it
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    lease_until timestamptz NOT NULL,
    answer      jsonb,
    expires_at  timestamptz, -- of the answer
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'done') = (answer IS NOT NULL AND expires_at IS NOT NULL))
);
CREATE UNIQUE INDEX claims_running ON claims (key) WHERE state = 'running';
CREATE INDEX claims_done ON claims (key, expires_at DESC) WHERE state = 'done';
CREATE INDEX claims_lease_until ON claims (lease_until); -- for the sweep

CREATE TABLE ledger (
    id           text PRIMARY KEY, -- request id and call id
    request_id   text NOT NULL,
    tenant       text NOT NULL,
    key          text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('call', 'hit')),
    call_id      text NOT NULL,
    cost_nanousd bigint NOT NULL CHECK (cost_nanousd >= 0),
    at           timestamptz NOT NULL,
    replica      text NOT NULL,
    boot         text NOT NULL
);
CREATE INDEX ledger_tenant_at ON ledger (tenant, at DESC);

-- One row per replica, written to find out whether a commit goes through.
CREATE TABLE heartbeats (
    replica text PRIMARY KEY,
    at      timestamptz NOT NULL
);

-- +goose Down
DROP TABLE heartbeats, ledger, claims, api_keys, organizations;
