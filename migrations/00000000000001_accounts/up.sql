-- Who may use the product, and the refresh tokens that keep them signed in.

CREATE TABLE users (
    id              uuid        PRIMARY KEY,
    -- As typed (trimmed), for showing and for mail.
    email           text        NOT NULL,
    -- Lower-cased, NFC: what is compared. Likewise for user names.
    email_key       text        NOT NULL UNIQUE,
    username        text,
    username_key    text        UNIQUE,
    password_hash   text        NOT NULL,
    role            text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    is_verified     boolean     NOT NULL DEFAULT false,
    -- Raised to end every access token at once (password change, lock, deletion).
    token_epoch     integer     NOT NULL DEFAULT 0,
    -- NULL: SERVICE_QUOTA applies.
    service_quota   integer     CHECK (service_quota >= 0),
    locked_at       timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK ((username IS NULL) = (username_key IS NULL))
);

CREATE TABLE refresh_tokens (
    id          uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- All tokens that descend from one login; reuse of a spent one revokes them together.
    family_id   uuid        NOT NULL,
    token_hash  bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
