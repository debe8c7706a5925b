//! The tables as Diesel sees them. Follows `migrations/` by hand: change both in one commit.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "Diesel's macro writes these items; the migrations document the columns"
)]

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        email_key -> Text,
        username -> Nullable<Text>,
        username_key -> Nullable<Text>,
        password_hash -> Text,
        role -> Text,
        is_verified -> Bool,
        token_epoch -> Integer,
        service_quota -> Nullable<Integer>,
        locked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    usernames (username_key) {
        username_key -> Text,
        user_id -> Uuid,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> Uuid,
        user_id -> Uuid,
        family_id -> Uuid,
        token_hash -> Bytea,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        client_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    mail_tokens (id) {
        id -> Uuid,
        user_id -> Uuid,
        purpose -> Text,
        token_hash -> Bytea,
        seed -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    email_changes (user_id) {
        user_id -> Uuid,
        new_email -> Text,
        new_email_key -> Text,
        requested_at -> Timestamptz,
        expires_at -> Timestamptz,
        old_confirmed_at -> Nullable<Timestamptz>,
        new_confirmed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    services (id) {
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        url -> Text,
        interval_ms -> Integer,
        phase_ms -> Integer,
        shard -> SmallInt,
        timeout_ms -> Integer,
        expected_status -> SmallInt,
        sla_target -> SmallInt,
        ssl_expiry_days -> SmallInt,
        follow_redirects -> Bool,
        regions -> Array<Text>,
        is_active -> Bool,
        config_version -> Integer,
        extra_probe_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    service_spans (service_id, config_version) {
        service_id -> Uuid,
        config_version -> Integer,
        interval_ms -> Integer,
        phase_ms -> Integer,
        regions -> Array<Text>,
        from_at -> Timestamptz,
        to_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    extra_probes (service_id, region, kind, scheduled_at) {
        service_id -> Uuid,
        region -> Text,
        kind -> Text,
        scheduled_at -> Timestamptz,
        config_version -> Integer,
        dispatch_at -> Timestamptz,
        avoid_prober -> Nullable<Text>,
        answers -> Nullable<Jsonb>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    schedule_cursor (shard) {
        shard -> SmallInt,
        scheduled_through -> Timestamptz,
    }
}

diesel::table! {
    purge (service_id) {
        service_id -> Uuid,
        user_id -> Uuid,
        requested_at -> Timestamptz,
    }
}

diesel::table! {
    probe_results (service_id, scheduled_at, region, kind) {
        service_id -> Uuid,
        scheduled_at -> Timestamptz,
        region -> Text,
        kind -> SmallInt,
        outcome -> SmallInt,
        status_code -> Nullable<SmallInt>,
        config_version -> Integer,
        probe_id -> Uuid,
        checked_at -> Timestamptz,
        counted -> Bool,
        moves_state -> Bool,
        voided -> Bool,
        error_kind -> Nullable<SmallInt>,
        hops -> SmallInt,
        latency_us -> Nullable<Integer>,
        dns_us -> Nullable<Integer>,
        connect_us -> Nullable<Integer>,
        tls_us -> Nullable<Integer>,
        request_us -> Nullable<Integer>,
        first_byte_us -> Nullable<Integer>,
        total_us -> Nullable<Integer>,
        error_message -> Nullable<Text>,
        prober -> Text,
    }
}

diesel::table! {
    health (service_id, region) {
        service_id -> Uuid,
        region -> Text,
        streak -> Integer,
        streak_since -> Timestamptz,
        last_scheduled_at -> Nullable<Timestamptz>,
        last_outcome -> Nullable<SmallInt>,
        last_failure_at -> Nullable<Timestamptz>,
        last_success_at -> Nullable<Timestamptz>,
        last_checked_at -> Nullable<Timestamptz>,
        hour -> Nullable<Timestamptz>,
        judged -> Integer,
        failed -> Integer,
        inconclusive -> Integer,
        excluded -> Integer,
        excluded_failed -> Integer,
        latency_sum_us -> BigInt,
        latency_min_us -> Nullable<Integer>,
        latency_max_us -> Nullable<Integer>,
        histogram -> Bytea,
        catchup_for -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    service_state (service_id) {
        service_id -> Uuid,
        status -> Text,
        incident_id -> Nullable<Uuid>,
        sla_breached -> Bool,
        sla_breaches -> Integer,
        failure_alerted_at -> Nullable<Timestamptz>,
        sla_alerted_at -> Nullable<Timestamptz>,
        window_at -> Nullable<Timestamptz>,
        window_hour -> Nullable<Timestamptz>,
        day_judged -> BigInt,
        day_failed -> BigInt,
        day_excluded -> BigInt,
        day_excluded_failed -> BigInt,
        sla_judged -> BigInt,
        sla_failed -> BigInt,
        sla_inconclusive -> BigInt,
        sla_excluded -> BigInt,
        sla_excluded_failed -> BigInt,
        sla_latency_sum_us -> BigInt,
        sla_histogram -> Bytea,
    }
}

diesel::table! {
    certificates (service_id) {
        service_id -> Uuid,
        fingerprint -> Nullable<Bytea>,
        errors -> Array<Text>,
        facts -> Jsonb,
        not_after -> Nullable<Timestamptz>,
        seen_at -> Timestamptz,
        warned_days -> Nullable<SmallInt>,
        warned_errors -> Array<Text>,
    }
}

diesel::table! {
    rollup_hourly (service_id, hour, region) {
        service_id -> Uuid,
        region -> Text,
        hour -> Timestamptz,
        judged -> Integer,
        failed -> Integer,
        inconclusive -> Integer,
        excluded -> Integer,
        excluded_failed -> Integer,
        latency_sum_us -> BigInt,
        latency_min_us -> Nullable<Integer>,
        latency_max_us -> Nullable<Integer>,
        histogram -> Bytea,
    }
}

diesel::table! {
    rollup_daily (service_id, day, region) {
        service_id -> Uuid,
        region -> Text,
        day -> Timestamptz,
        judged -> Integer,
        failed -> Integer,
        inconclusive -> Integer,
        excluded -> Integer,
        excluded_failed -> Integer,
        latency_sum_us -> BigInt,
        latency_min_us -> Nullable<Integer>,
        latency_max_us -> Nullable<Integer>,
        histogram -> Bytea,
    }
}

diesel::table! {
    incidents (id) {
        id -> Uuid,
        service_id -> Uuid,
        user_id -> Uuid,
        started_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        end_reason -> Nullable<Text>,
        cause -> Text,
        cause_message -> Text,
        failed_checks -> Integer,
        last_failure_at -> Timestamptz,
    }
}

diesel::table! {
    alerts (id) {
        id -> Uuid,
        service_id -> Uuid,
        user_id -> Uuid,
        alert_type -> Text,
        dedupe_key -> Text,
        incident_id -> Nullable<Uuid>,
        message -> Text,
        facts -> Jsonb,
        held_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Uuid,
        lane -> Text,
        alert_id -> Nullable<Uuid>,
        user_id -> Uuid,
        service_id -> Nullable<Uuid>,
        channel -> Text,
        recipient -> Text,
        status -> Text,
        follows -> Nullable<Uuid>,
        attempts -> Integer,
        first_attempt_at -> Nullable<Timestamptz>,
        next_attempt_at -> Timestamptz,
        fence -> BigInt,
        lease_until -> Nullable<Timestamptz>,
        rendered -> Nullable<Jsonb>,
        last_error -> Nullable<Text>,
        provider_id -> Nullable<Text>,
        created_at -> Timestamptz,
        sent_at -> Nullable<Timestamptz>,
        facts -> Nullable<Jsonb>,
        token_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Uuid,
        at -> Timestamptz,
        event -> Text,
        user_id -> Uuid,
        actor_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        details -> Jsonb,
    }
}

diesel::table! {
    rate_limits (key) {
        key -> Text,
        ends_at -> Timestamptz,
        asked -> BigInt,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        scope -> Text,
        prefix -> Text,
        key_hash -> Bytea,
        created_at -> Timestamptz,
        rotated_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    idempotency_keys (user_id, key) {
        user_id -> Uuid,
        key -> Text,
        asked -> Bytea,
        service_id -> Uuid,
        etag -> Text,
        body -> Text,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    services,
    service_state,
    health,
    certificates,
    service_spans,
);
