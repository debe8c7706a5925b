-- Answers to creates that carried an Idempotency-Key. Written in the create's own transaction; removed after a day.
CREATE TABLE idempotency_keys (
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key         text        NOT NULL,
    -- SHA-256 of what was asked for, in a form that does not depend on how it was written.
    asked       bytea       NOT NULL CHECK (octet_length(asked) = 32),
    -- No foreign key: the answer stays what it was when the service is deleted.
    service_id  uuid        NOT NULL,
    etag        text        NOT NULL,
    body        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
