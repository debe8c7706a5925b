-- Who did what to an account, how often anybody may ask, and keys for machines.

CREATE TABLE audit_log (
    id          uuid        PRIMARY KEY,
    at          timestamptz NOT NULL,
    -- One of models::audit; not checked here, so that a new event needs no migration.
    event       text        NOT NULL,
    -- Whose account it is about. No foreign key: what happened stays, without details, when the account goes.
    user_id     uuid        NOT NULL,
    -- The admin who did it; NULL: the user himself, or somebody who tried to be him.
    actor_id    uuid,
    -- Where the request came from.
    address     text,
    -- Never a secret, never an address of mail.
    details     jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at DESC, id DESC);
CREATE INDEX audit_log_by_time ON audit_log (at DESC, id DESC);

-- One row for each thing that is limited, for one window of time. Not logged: a crash of the server
-- forgets a minute of counting, and nobody waits for a disk. No index but the key's, so that
-- counting stays on the page.
CREATE UNLOGGED TABLE rate_limits (
    key         text        PRIMARY KEY,
    -- When the window is over and the next one begins with whoever asks next.
    ends_at     timestamptz NOT NULL,
    -- What was asked for in this window, granted or not.
    asked       bigint      NOT NULL CHECK (asked >= 0)
) WITH (fillfactor = 50);

CREATE TABLE api_keys (
    id              uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name            text        NOT NULL,
    -- `write` may do what `read` may.
    scope           text        NOT NULL CHECK (scope IN ('read', 'write')),
    -- How the key begins, so that its owner knows it again.
    prefix          text        NOT NULL,
    key_hash        bytea       NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    created_at      timestamptz NOT NULL,
    rotated_at      timestamptz,
    expires_at      timestamptz,
    -- To the minute.
    last_used_at    timestamptz
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at DESC, id DESC);

-- What admins search by.
CREATE INDEX users_by_time ON users (created_at DESC, id DESC);
