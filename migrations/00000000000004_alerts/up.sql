-- What broke, who has to know, and whether he was told.

CREATE TABLE incidents (
    id               uuid        PRIMARY KEY,
    service_id       uuid        NOT NULL,
    user_id          uuid        NOT NULL,
    -- scheduled_at of the first failure of the streak that opened it.
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text        CHECK (end_reason IN ('recovered', 'paused', 'deleted')),
    -- The first failure's error_kind, and its sentence.
    cause            text        NOT NULL,
    cause_message    text        NOT NULL,
    failed_checks    integer     NOT NULL,
    last_failure_at  timestamptz NOT NULL,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX incidents_open ON incidents (service_id) WHERE ended_at IS NULL;
CREATE INDEX incidents_newest ON incidents (service_id, started_at DESC, id DESC);
CREATE INDEX incidents_by_age ON incidents (started_at);

CREATE TABLE alerts (
    id           uuid        PRIMARY KEY,
    service_id   uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    alert_type   text        NOT NULL CHECK (alert_type IN ('failure_streak', 'recovery', 'sla_breach', 'ssl_expiry')),
    -- incident id, breach number, or fingerprint and step: makes the second raise boring.
    dedupe_key   text        NOT NULL,
    incident_id  uuid,
    -- One sentence, shown to the tenant.
    message      text        NOT NULL,
    -- What a renderer needs, as it was when the alert was raised.
    facts        jsonb       NOT NULL,
    -- NULL: not held. Else when the cooldown that holds it ends.
    held_until   timestamptz,
    created_at   timestamptz NOT NULL,
    UNIQUE (service_id, alert_type, dedupe_key)
);
CREATE INDEX alerts_newest ON alerts (service_id, created_at DESC, id DESC);
CREATE INDEX alerts_held ON alerts (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX alerts_by_age ON alerts (created_at);

CREATE TABLE deliveries (
    id               uuid        PRIMARY KEY,
    -- Alert mail and account mail travel the same road in lanes of their own.
    lane             text        NOT NULL CHECK (lane IN ('alert', 'account')),
    alert_id         uuid        REFERENCES alerts (id) ON DELETE CASCADE,
    user_id          uuid        NOT NULL,
    service_id       uuid,
    channel          text        NOT NULL,
    recipient        text        NOT NULL,
    status           text        NOT NULL CHECK (status IN ('held', 'pending', 'sending', 'sent', 'failed', 'suppressed')),
    -- A recovery waits for the failure delivery of its channel.
    follows          uuid,
    attempts         integer     NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    next_attempt_at  timestamptz NOT NULL,
    -- Who may send it, until when: a fencing number that only rises.
    fence            bigint      NOT NULL DEFAULT 0,
    lease_until      timestamptz,
    -- The exact bytes handed to the provider, rendered once.
    rendered         jsonb,
    last_error       text,
    provider_id      text,
    created_at       timestamptz NOT NULL,
    sent_at          timestamptz,
    UNIQUE (alert_id, channel, recipient),
    CHECK ((lane = 'alert') = (alert_id IS NOT NULL))
);
CREATE INDEX deliveries_due ON deliveries (lane, next_attempt_at) WHERE status IN ('pending', 'sending');
CREATE INDEX deliveries_unsent ON deliveries (service_id) WHERE status IN ('held', 'pending', 'sending');
CREATE INDEX deliveries_follows ON deliveries (follows) WHERE follows IS NOT NULL;
