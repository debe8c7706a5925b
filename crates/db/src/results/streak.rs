//! The streak as the rows tell it, for results that came late or were voided.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// Which rows are asked: those of one service and region in `[since, upto]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The service.
    pub service_id: Uuid,
    /// The region.
    pub region: String,
    /// Older rows do not count.
    pub since: DateTime<Utc>,
    /// Nor do younger ones.
    pub upto: DateTime<Utc>,
}

/// What they tell. All of a failure is `None` where there is none.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Told {
    /// The service.
    pub service_id: Uuid,
    /// The region.
    pub region: String,
    /// Outcome of the newest row.
    pub newest_outcome: Option<i16>,
    /// Failures after the newest success.
    pub failures: i64,
    /// The oldest of them.
    pub first: FailedRow,
    /// The same one, as a second opinion sees it.
    pub doubted: DoubtedRow,
    /// The newest of them.
    pub last: FailedRow,
}

/// One failure; all `None` where there is none.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct FailedRow {
    pub scheduled_at: Option<DateTime<Utc>>,
    pub error_kind: Option<i16>,
    pub error_message: Option<String>,
    pub status_code: Option<i16>,
    pub dns_us: Option<i32>,
    pub connect_us: Option<i32>,
    pub tls_us: Option<i32>,
    pub request_us: Option<i32>,
    pub first_byte_us: Option<i32>,
    pub total_us: Option<i32>,
}

/// A failure and who saw it; all `None` where there is none.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct DoubtedRow {
    pub kind: Option<i16>,
    pub checked_at: Option<DateTime<Utc>>,
    pub config_version: Option<i32>,
    pub counted: Option<bool>,
    pub prober: Option<String>,
}

type DoubtedColumns = (
    Nullable<SmallInt>,
    Nullable<Timestamptz>,
    Nullable<Integer>,
    Nullable<Bool>,
    Nullable<Text>,
);

type FailedColumns = (
    Nullable<Timestamptz>,
    Nullable<SmallInt>,
    Nullable<Text>,
    Nullable<SmallInt>,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Integer>,
);

/// Codes of outcomes: 0 down, 1 up, 2 inconclusive (which no streak knows).
const STREAK: &str = "SELECT k.service_id, k.region, n.outcome, f.failures, \
    a.scheduled_at, a.error_kind, a.error_message, a.status_code, a.dns_us, a.connect_us, \
    a.tls_us, a.request_us, a.first_byte_us, a.total_us, \
    a.kind, a.checked_at, a.config_version, a.counted, a.prober, \
    z.scheduled_at, z.error_kind, z.error_message, z.status_code, z.dns_us, z.connect_us, \
    z.tls_us, z.request_us, z.first_byte_us, z.total_us \
    FROM unnest($1, $2, $3, $4) AS k (service_id, region, since_at, upto_at) \
    LEFT JOIN LATERAL (SELECT r.outcome FROM probe_results r \
        WHERE r.service_id = k.service_id AND r.region = k.region \
          AND r.scheduled_at >= k.since_at AND r.scheduled_at <= k.upto_at \
          AND r.moves_state AND NOT r.voided AND r.outcome IN (0, 1) \
        ORDER BY r.scheduled_at DESC, r.kind DESC LIMIT 1) n ON true \
    LEFT JOIN LATERAL (SELECT r.scheduled_at, r.kind FROM probe_results r \
        WHERE r.service_id = k.service_id AND r.region = k.region \
          AND r.scheduled_at >= k.since_at AND r.scheduled_at <= k.upto_at \
          AND r.moves_state AND NOT r.voided AND r.outcome = 1 \
        ORDER BY r.scheduled_at DESC, r.kind DESC LIMIT 1) s ON true \
    CROSS JOIN LATERAL (SELECT count(*) AS failures FROM probe_results r \
        WHERE r.service_id = k.service_id AND r.region = k.region \
          AND r.scheduled_at >= coalesce(s.scheduled_at, k.since_at) \
          AND r.scheduled_at <= k.upto_at \
          AND (s.scheduled_at IS NULL OR (r.scheduled_at, r.kind) > (s.scheduled_at, s.kind)) \
          AND r.moves_state AND NOT r.voided AND r.outcome = 0) f \
    LEFT JOIN LATERAL (SELECT r.* FROM probe_results r \
        WHERE r.service_id = k.service_id AND r.region = k.region \
          AND r.scheduled_at >= coalesce(s.scheduled_at, k.since_at) \
          AND r.scheduled_at <= k.upto_at \
          AND (s.scheduled_at IS NULL OR (r.scheduled_at, r.kind) > (s.scheduled_at, s.kind)) \
          AND r.moves_state AND NOT r.voided AND r.outcome = 0 \
        ORDER BY r.scheduled_at, r.kind LIMIT 1) a ON true \
    LEFT JOIN LATERAL (SELECT r.* FROM probe_results r \
        WHERE r.service_id = k.service_id AND r.region = k.region \
          AND r.scheduled_at >= coalesce(s.scheduled_at, k.since_at) \
          AND r.scheduled_at <= k.upto_at \
          AND (s.scheduled_at IS NULL OR (r.scheduled_at, r.kind) > (s.scheduled_at, s.kind)) \
          AND r.moves_state AND NOT r.voided AND r.outcome = 0 \
        ORDER BY r.scheduled_at DESC, r.kind DESC LIMIT 1) z ON true";

/// Reads the streak of each service and region asked for. A few rows where the newest success is
/// near; all since then in an outage that has lasted.
///
/// # Errors
/// The database failed.
pub async fn streaks(conn: &mut Conn, asked: &[Asked]) -> QueryResult<Vec<Told>> {
    let services: Vec<Uuid> = asked.iter().map(|asked| asked.service_id).collect();
    let regions: Vec<&str> = asked.iter().map(|asked| asked.region.as_str()).collect();
    let since: Vec<DateTime<Utc>> = asked.iter().map(|asked| asked.since).collect();
    let upto: Vec<DateTime<Utc>> = asked.iter().map(|asked| asked.upto).collect();
    statement::<(
        SqlUuid,
        Text,
        Nullable<SmallInt>,
        BigInt,
        FailedColumns,
        DoubtedColumns,
        FailedColumns,
    )>(STREAK)
    .bind::<Array<SqlUuid>, _>(&services)
    .bind::<Array<Text>, _>(&regions)
    .bind::<Array<Timestamptz>, _>(&since)
    .bind::<Array<Timestamptz>, _>(&upto)
    .load(conn)
    .await
}
