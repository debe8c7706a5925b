-- What probes found, and what follows from it.

-- One row a probe. Partitioned by UTC day, made ahead and dropped by the scheduler's upkeep.
-- Codes of kind, outcome and error_kind are those of the models crate, frozen there by a test.
CREATE TABLE probe_results (
    service_id      uuid        NOT NULL,
    scheduled_at    timestamptz NOT NULL,
    region          text        NOT NULL,
    kind            smallint    NOT NULL,
    outcome         smallint    NOT NULL,
    status_code     smallint,
    config_version  integer     NOT NULL,
    probe_id        uuid        NOT NULL,
    checked_at      timestamptz NOT NULL,
    -- Counted in sums: of kind slot, judged or inconclusive, and inside the span of its config_version.
    counted         boolean     NOT NULL,
    -- May move status and streak: slot, first or catchup, of the configuration current when it arrived.
    moves_state     boolean     NOT NULL,
    voided          boolean     NOT NULL DEFAULT false,
    error_kind      smallint,
    hops            smallint    NOT NULL,
    -- Microseconds.
    latency_us      integer,
    dns_us          integer,
    connect_us      integer,
    tls_us          integer,
    request_us      integer,
    first_byte_us   integer,
    total_us        integer,
    error_message   text,
    -- For the operator only.
    prober          text        NOT NULL,
    UNIQUE (service_id, scheduled_at, region, kind)
) PARTITION BY RANGE (scheduled_at);

-- The only row written per result. Narrow enough to stay HOT, its histogram never leaves the page.
CREATE TABLE health (
    service_id            uuid        NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    region                text        NOT NULL,
    -- Failures after the newest success, of rows since streak_since that move state.
    streak                integer     NOT NULL DEFAULT 0,
    streak_since          timestamptz NOT NULL,
    -- The newest applied result that moves state.
    last_scheduled_at     timestamptz,
    last_outcome          smallint,
    last_failure_at       timestamptz,
    last_success_at       timestamptz,
    -- The newest result of any kind.
    last_checked_at       timestamptz,
    -- The open hour; earlier hours stand in rollup_hourly.
    hour                  timestamptz,
    judged                integer     NOT NULL DEFAULT 0,
    failed                integer     NOT NULL DEFAULT 0,
    inconclusive          integer     NOT NULL DEFAULT 0,
    excluded              integer     NOT NULL DEFAULT 0,
    excluded_failed       integer     NOT NULL DEFAULT 0,
    latency_sum_us        bigint      NOT NULL DEFAULT 0,
    latency_min_us        integer,
    latency_max_us        integer,
    histogram             bytea       NOT NULL DEFAULT ''::bytea,
    -- The slot for which a catch-up probe was asked.
    catchup_for           timestamptz,
    PRIMARY KEY (service_id, region)
) WITH (fillfactor = 50);
ALTER TABLE health ALTER COLUMN histogram SET STORAGE MAIN;
ALTER TABLE health ADD CHECK (octet_length(histogram) <= 1024);
-- Open hours of services that fell silent; changes once an hour, so other updates stay HOT.
CREATE INDEX health_by_hour ON health (hour) WHERE hour IS NOT NULL;

-- Written when something flips, an alert is raised, or the cached window is computed anew.
CREATE TABLE service_state (
    service_id             uuid        PRIMARY KEY REFERENCES services (id) ON DELETE CASCADE,
    status                 text        NOT NULL CHECK (status IN ('unknown', 'up', 'failing', 'down')),
    incident_id            uuid,
    sla_breached           boolean     NOT NULL DEFAULT false,
    -- Counts breaches, so that each has a key of its own.
    sla_breaches           integer     NOT NULL DEFAULT 0,
    -- Starts of the current cooldowns.
    failure_alerted_at     timestamptz,
    sla_alerted_at         timestamptz,
    -- Sums of closed hours, computed at window_at and never subtracted from: the last 24 hours
    -- and the SLA window, both up to window_hour (exclusive). The open hour is added when read.
    window_at              timestamptz,
    window_hour            timestamptz,
    day_judged             bigint      NOT NULL DEFAULT 0,
    day_failed             bigint      NOT NULL DEFAULT 0,
    day_excluded           bigint      NOT NULL DEFAULT 0,
    day_excluded_failed    bigint      NOT NULL DEFAULT 0,
    sla_judged             bigint      NOT NULL DEFAULT 0,
    sla_failed             bigint      NOT NULL DEFAULT 0,
    sla_inconclusive       bigint      NOT NULL DEFAULT 0,
    sla_excluded           bigint      NOT NULL DEFAULT 0,
    sla_excluded_failed    bigint      NOT NULL DEFAULT 0,
    sla_latency_sum_us     bigint      NOT NULL DEFAULT 0,
    sla_histogram          bytea       NOT NULL DEFAULT ''::bytea
) WITH (fillfactor = 70);
-- Whose windows have to be computed anew; changes once an hour.
CREATE INDEX service_state_by_window ON service_state (window_at NULLS FIRST);

-- The certificate last seen at an https service's own host; written when fingerprint or verdict changes.
CREATE TABLE certificates (
    service_id    uuid        PRIMARY KEY REFERENCES services (id) ON DELETE CASCADE,
    fingerprint   bytea,
    -- All certificate faults, the first one first; empty: chain, name and dates all hold.
    errors        text[]      NOT NULL,
    facts         jsonb       NOT NULL,
    not_after     timestamptz,
    -- scheduled_at of the probe that saw it, so that a late result does not overwrite a newer one.
    seen_at       timestamptz NOT NULL,
    -- The lowest expiry step (days) announced for this fingerprint, and the faults announced.
    warned_days   smallint,
    warned_errors text[]      NOT NULL DEFAULT '{}'
);
CREATE INDEX certificates_expiring ON certificates (not_after);

-- Closed hours (35 days) and days (400 days), both in UTC; partitioned by week and by month.
CREATE TABLE rollup_hourly (
    service_id       uuid        NOT NULL,
    region           text        NOT NULL,
    hour             timestamptz NOT NULL,
    judged           integer     NOT NULL,
    failed           integer     NOT NULL,
    inconclusive     integer     NOT NULL,
    excluded         integer     NOT NULL,
    excluded_failed  integer     NOT NULL,
    latency_sum_us   bigint      NOT NULL,
    latency_min_us   integer,
    latency_max_us   integer,
    histogram        bytea       NOT NULL,
    PRIMARY KEY (service_id, hour, region)
) PARTITION BY RANGE (hour);

CREATE TABLE rollup_daily (
    service_id       uuid        NOT NULL,
    region           text        NOT NULL,
    day              timestamptz NOT NULL,
    judged           integer     NOT NULL,
    failed           integer     NOT NULL,
    inconclusive     integer     NOT NULL,
    excluded         integer     NOT NULL,
    excluded_failed  integer     NOT NULL,
    latency_sum_us   bigint      NOT NULL,
    latency_min_us   integer,
    latency_max_us   integer,
    histogram        bytea       NOT NULL,
    PRIMARY KEY (service_id, day, region)
) PARTITION BY RANGE (day);
