-- Sessions that can be told apart and ended one by one, links that go out by mail, and wanted changes of address.

CREATE TABLE sessions (
    -- The family_id of its refresh tokens; its access tokens name it and end with it.
    id              uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    -- When it was last refreshed, and from where, for its owner to recognise it.
    last_used_at    timestamptz NOT NULL,
    client_address  text,
    user_agent      text,
    -- Of its newest refresh token.
    expires_at      timestamptz NOT NULL
);
CREATE INDEX sessions_newest ON sessions (user_id, last_used_at DESC);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
    SELECT family_id, user_id, min(issued_at), max(issued_at), max(expires_at)
      FROM refresh_tokens GROUP BY family_id, user_id
    HAVING bool_and(revoked_at IS NULL);

-- What the links in account mail stand for. A row is a token that still works: using it deletes it.
CREATE TABLE mail_tokens (
    id          uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose     text        NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'leave_address', 'take_address')),
    token_hash  bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    -- Random. The token is a keyed hash of it; the key is not in the database.
    seed        bytea       NOT NULL CHECK (octet_length(seed) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    -- A new request voids the one before.
    UNIQUE (user_id, purpose)
);
CREATE INDEX mail_tokens_by_expiry ON mail_tokens (expires_at);

-- Wanted changes of address: they happen when both addresses have confirmed.
CREATE TABLE email_changes (
    user_id           uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    new_email         text        NOT NULL,
    new_email_key     text        NOT NULL,
    requested_at      timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    old_confirmed_at  timestamptz,
    new_confirmed_at  timestamptz
);
CREATE INDEX email_changes_by_expiry ON email_changes (expires_at);

-- Account mail has no alert to take its facts from, and perhaps a token in its link.
ALTER TABLE deliveries ADD COLUMN facts jsonb;
ALTER TABLE deliveries ADD COLUMN token_id uuid;
ALTER TABLE deliveries ADD CHECK ((lane = 'account') = (facts IS NOT NULL));
CREATE INDEX deliveries_account ON deliveries (user_id) WHERE lane = 'account';
CREATE INDEX deliveries_account_by_age ON deliveries (created_at) WHERE lane = 'account';
