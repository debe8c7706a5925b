//! The state of services while results are folded: locked after the health rows, and only where
//! something flips.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// What others may have changed since the state was read, and what is too large to read each time.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Locked {
    pub service_id: Uuid,
    pub failure_alerted_at: Option<DateTime<Utc>>,
    pub sla_alerted_at: Option<DateTime<Utc>>,
    pub sla_latency_sum_us: i64,
    pub sla_histogram: Vec<u8>,
}

/// Locks the states of services whose health rows are locked.
///
/// # Errors
/// The database failed.
pub async fn lock(conn: &mut Conn, services: &[Uuid]) -> QueryResult<Vec<Locked>> {
    statement::<(
        SqlUuid,
        Nullable<Timestamptz>,
        Nullable<Timestamptz>,
        BigInt,
        Binary,
    )>(
        "SELECT service_id, failure_alerted_at, sla_alerted_at, sla_latency_sum_us, \
                sla_histogram \
         FROM service_state WHERE service_id = ANY ($1) ORDER BY service_id FOR UPDATE",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .load(conn)
    .await
}

/// The new state of a service, whole but for its window's times.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Written {
    pub service_id: Uuid,
    pub status: String,
    pub incident_id: Option<Uuid>,
    pub sla_breached: bool,
    pub sla_breaches: i32,
    pub failure_alerted_at: Option<DateTime<Utc>>,
    pub sla_alerted_at: Option<DateTime<Utc>>,
    pub day_judged: i64,
    pub day_failed: i64,
    pub day_excluded: i64,
    pub day_excluded_failed: i64,
    pub sla_judged: i64,
    pub sla_failed: i64,
    pub sla_inconclusive: i64,
    pub sla_excluded: i64,
    pub sla_excluded_failed: i64,
    pub sla_latency_sum_us: i64,
    pub sla_histogram: Vec<u8>,
}

const WRITE: &str = "UPDATE service_state s SET status = n.status, \
    incident_id = n.incident_id, sla_breached = n.sla_breached, \
    sla_breaches = n.sla_breaches, failure_alerted_at = n.failure_alerted_at, \
    sla_alerted_at = n.sla_alerted_at, day_judged = n.day_judged, \
    day_failed = n.day_failed, day_excluded = n.day_excluded, \
    day_excluded_failed = n.day_excluded_failed, sla_judged = n.sla_judged, \
    sla_failed = n.sla_failed, sla_inconclusive = n.sla_inconclusive, \
    sla_excluded = n.sla_excluded, sla_excluded_failed = n.sla_excluded_failed, \
    sla_latency_sum_us = n.sla_latency_sum_us, sla_histogram = n.sla_histogram \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
    $18) AS n (service_id, status, incident_id, sla_breached, sla_breaches, \
    failure_alerted_at, sla_alerted_at, day_judged, day_failed, day_excluded, \
    day_excluded_failed, sla_judged, sla_failed, sla_inconclusive, sla_excluded, \
    sla_excluded_failed, sla_latency_sum_us, sla_histogram) \
    WHERE s.service_id = n.service_id";

/// Writes locked states back.
///
/// # Errors
/// The database failed.
pub async fn write(conn: &mut Conn, rows: &[Written]) -> QueryResult<usize> {
    statement::<()>(WRITE)
        .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
        .bind::<Array<Text>, _>(&column(rows, |row| row.status.as_str()))
        .bind::<Array<Nullable<SqlUuid>>, _>(&column(rows, |row| row.incident_id))
        .bind::<Array<Bool>, _>(&column(rows, |row| row.sla_breached))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.sla_breaches))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.failure_alerted_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.sla_alerted_at))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.day_judged))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.day_failed))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.day_excluded))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.day_excluded_failed))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_judged))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_failed))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_inconclusive))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_excluded))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_excluded_failed))
        .bind::<Array<BigInt>, _>(&column(rows, |row| row.sla_latency_sum_us))
        .bind::<Array<Binary>, _>(&column(rows, |row| row.sla_histogram.as_slice()))
        .execute(conn)
        .await
}

/// Notes that the windows of these services were computed from the rollups.
///
/// # Errors
/// The database failed.
pub async fn note_window(
    conn: &mut Conn,
    services: &[Uuid],
    at: DateTime<Utc>,
    hour: DateTime<Utc>,
) -> QueryResult<usize> {
    statement::<()>(
        "UPDATE service_state SET window_at = $1, window_hour = $2 WHERE service_id = ANY ($3)",
    )
    .bind::<Timestamptz, _>(&at)
    .bind::<Timestamptz, _>(&hour)
    .bind::<Array<SqlUuid>, _>(services)
    .execute(conn)
    .await
}

fn column<'a, T>(rows: &'a [Written], value: impl Fn(&'a Written) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
