-- What is watched, and when it is due.

CREATE TABLE services (
    id               uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name             text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    -- The normalised form: what is shown, compared and probed. Immutable.
    url              text        NOT NULL CHECK (octet_length(url) <= 2048),
    interval_ms      integer     NOT NULL CHECK (interval_ms >= 1000),
    -- Both follow from the id (and the interval) alone; stored so that due slots are an index read.
    phase_ms         integer     NOT NULL CHECK (phase_ms >= 0 AND phase_ms < interval_ms),
    shard            smallint    NOT NULL CHECK (shard BETWEEN 0 AND 15),
    timeout_ms       integer     NOT NULL CHECK (timeout_ms BETWEEN 1000 AND 60000),
    expected_status  smallint    NOT NULL CHECK (expected_status BETWEEN 100 AND 599),
    -- Hundredths of a percent: 9990 is 99.9 %.
    sla_target       smallint    NOT NULL CHECK (sla_target BETWEEN 1 AND 10000),
    ssl_expiry_days  smallint    NOT NULL CHECK (ssl_expiry_days BETWEEN 1 AND 90),
    follow_redirects boolean     NOT NULL,
    regions          text[]      NOT NULL DEFAULT '{default}' CHECK (cardinality(regions) >= 1),
    is_active        boolean     NOT NULL,
    -- Raised by every edit that changes probing, and by a resume.
    config_version   integer     NOT NULL,
    -- When the last extra probe (first or manual) was asked for; spaces them.
    extra_probe_at   timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    UNIQUE (user_id, url)
);
CREATE INDEX services_due ON services (shard, interval_ms, phase_ms) WHERE is_active;
-- Those that get a catch-up probe for a slot missed through our fault.
CREATE INDEX services_slow ON services (id) WHERE is_active AND interval_ms >= 300000;
CREATE INDEX services_newest ON services (user_id, created_at DESC, id DESC);

-- Half-open stretches [from_at, to_at) in which a service was active with one configuration.
CREATE TABLE service_spans (
    service_id      uuid        NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    config_version  integer     NOT NULL,
    interval_ms     integer     NOT NULL,
    phase_ms        integer     NOT NULL,
    regions         text[]      NOT NULL,
    from_at         timestamptz NOT NULL,
    to_at           timestamptz CHECK (to_at >= from_at),
    PRIMARY KEY (service_id, config_version)
);
CREATE UNIQUE INDEX service_spans_open ON service_spans (service_id) WHERE to_at IS NULL;

-- Wanted probes outside the schedule; the row is the truth, the message on probe-requests a nudge.
CREATE TABLE extra_probes (
    service_id      uuid        NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    region          text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('first', 'manual', 'confirm', 'catchup')),
    scheduled_at    timestamptz NOT NULL,
    config_version  integer     NOT NULL,
    -- Not sent before this time (a `first` that has to wait its turn, a jittered catch-up).
    dispatch_at     timestamptz NOT NULL,
    avoid_prober    text,
    -- For `confirm`: the kind and time of the failure it may void.
    answers         jsonb,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (service_id, region, kind, scheduled_at)
);
CREATE INDEX extra_probes_due ON extra_probes (dispatch_at);

-- Up to which moment the slots of a shard have been dispatched.
CREATE TABLE schedule_cursor (
    shard              smallint    PRIMARY KEY CHECK (shard BETWEEN 0 AND 15),
    scheduled_through  timestamptz NOT NULL
);
INSERT INTO schedule_cursor SELECT shard, '1970-01-01T00:00:00Z' FROM generate_series(0, 15) AS shard;

-- Deleted services whose history is still to be removed in the background.
CREATE TABLE purge (
    service_id    uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL,
    requested_at  timestamptz NOT NULL
);
