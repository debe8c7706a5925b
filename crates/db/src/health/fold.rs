//! Health rows while results are folded: locked together, written back together.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Binary, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Health;
use crate::Conn;
use crate::statement::statement;

pub(super) type Columns = (
    SqlUuid,
    Text,
    Integer,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<SmallInt>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    BigInt,
    Nullable<Integer>,
    Nullable<Integer>,
    Binary,
    Nullable<Timestamptz>,
);

const LOCK: &str = "SELECT h.service_id, h.region, h.streak, h.streak_since, \
    h.last_scheduled_at, h.last_outcome, h.last_failure_at, h.last_success_at, \
    h.last_checked_at, h.hour, h.judged, h.failed, h.inconclusive, h.excluded, \
    h.excluded_failed, h.latency_sum_us, h.latency_min_us, h.latency_max_us, h.histogram, \
    h.catchup_for \
    FROM unnest($1, $2) AS k (service_id, region) \
    JOIN health h ON h.service_id = k.service_id AND h.region = k.region \
    ORDER BY h.service_id, h.region FOR UPDATE OF h";

/// Locks the rows of these (service, region) pairs, each pair given once, in the order that
/// everybody locks them; a service that is gone has none.
///
/// # Errors
/// The database failed.
pub async fn lock(
    conn: &mut Conn,
    services: &[Uuid],
    regions: &[&str],
) -> QueryResult<Vec<Health>> {
    statement::<Columns>(LOCK)
        .bind::<Array<SqlUuid>, _>(services)
        .bind::<Array<Text>, _>(regions)
        .load(conn)
        .await
}

const LOCK_SILENT: &str = "SELECT h.service_id, h.region, h.streak, h.streak_since, \
    h.last_scheduled_at, h.last_outcome, h.last_failure_at, h.last_success_at, \
    h.last_checked_at, h.hour, h.judged, h.failed, h.inconclusive, h.excluded, \
    h.excluded_failed, h.latency_sum_us, h.latency_min_us, h.latency_max_us, h.histogram, \
    h.catchup_for \
    FROM health h WHERE h.hour < $1 ORDER BY h.hour LIMIT $2 FOR UPDATE SKIP LOCKED";

/// Locks up to `limit` rows whose open hour began before `before`, and which nobody else has
/// locked.
///
/// # Errors
/// The database failed.
pub async fn lock_silent(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Health>> {
    statement::<Columns>(LOCK_SILENT)
        .bind::<Timestamptz, _>(&before)
        .bind::<BigInt, _>(&limit)
        .load(conn)
        .await
}

const LOCK_UNWINDOWED: &str = "SELECT h.service_id, h.region, h.streak, h.streak_since, \
    h.last_scheduled_at, h.last_outcome, h.last_failure_at, h.last_success_at, \
    h.last_checked_at, h.hour, h.judged, h.failed, h.inconclusive, h.excluded, \
    h.excluded_failed, h.latency_sum_us, h.latency_min_us, h.latency_max_us, h.histogram, \
    h.catchup_for \
    FROM health h WHERE h.service_id IN ( \
        (SELECT service_id FROM service_state WHERE window_at IS NULL LIMIT $1) UNION ALL \
        (SELECT service_id FROM service_state WHERE window_at < $2 \
         ORDER BY window_at NULLS FIRST LIMIT $1)) \
    LIMIT $3 FOR UPDATE OF h SKIP LOCKED";

/// So many times the rows wanted are looked at, since other sweeps have locked some.
const LOOK_AT: i64 = 8;

/// Locks up to `limit` rows of services whose windows were computed before `before`, oldest
/// first, and which nobody else has locked.
///
/// # Errors
/// The database failed.
pub async fn lock_unwindowed(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Health>> {
    let look_at = limit.saturating_mul(LOOK_AT);
    statement::<Columns>(LOCK_UNWINDOWED)
        .bind::<BigInt, _>(&look_at)
        .bind::<Timestamptz, _>(&before)
        .bind::<BigInt, _>(&limit)
        .load(conn)
        .await
}

const WRITE: &str = "UPDATE health h SET streak = n.streak, \
    last_scheduled_at = n.last_scheduled_at, last_outcome = n.last_outcome, \
    last_failure_at = n.last_failure_at, last_success_at = n.last_success_at, \
    last_checked_at = n.last_checked_at, hour = n.hour, judged = n.judged, \
    failed = n.failed, inconclusive = n.inconclusive, excluded = n.excluded, \
    excluded_failed = n.excluded_failed, latency_sum_us = n.latency_sum_us, \
    latency_min_us = n.latency_min_us, latency_max_us = n.latency_max_us, \
    histogram = n.histogram \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
    AS n (service_id, region, streak, last_scheduled_at, last_outcome, last_failure_at, \
    last_success_at, last_checked_at, hour, judged, failed, inconclusive, excluded, \
    excluded_failed, latency_sum_us, latency_min_us, latency_max_us, histogram) \
    WHERE h.service_id = n.service_id AND h.region = n.region";

/// Writes locked rows back: all that results change, so neither `streak_since` nor `catchup_for`.
///
/// # Errors
/// The database failed.
pub async fn write(conn: &mut Conn, rows: &[Health]) -> QueryResult<usize> {
    statement::<()>(WRITE)
        .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
        .bind::<Array<Text>, _>(&column(rows, |row| row.region.as_str()))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.streak))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.last_scheduled_at))
        .bind::<Array<Nullable<SmallInt>>, _>(&column(rows, |row| row.last_outcome))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.last_failure_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.last_success_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.last_checked_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.hour))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.judged))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.failed))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.inconclusive))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.excluded))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.excluded_failed))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.latency_sum_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.latency_min_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.latency_max_us))
        .bind::<Array<Binary>, _>(&column(rows, |row| row.histogram.as_slice()))
        .execute(conn)
        .await
}

fn column<'a, T>(rows: &'a [Health], value: impl Fn(&'a Health) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
