//! Sums of many services at once: read before and written after new counts join them, and added
//! up for windows. Whoever calls these holds the services' health rows, so nothing comes between.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// One hour or day of one service in one region.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Sum {
    pub service_id: Uuid,
    pub region: String,
    /// First moment of the hour or day.
    pub at: DateTime<Utc>,
    pub judged: i32,
    pub failed: i32,
    pub inconclusive: i32,
    pub excluded: i32,
    pub excluded_failed: i32,
    pub latency_sum_us: i64,
    pub latency_min_us: Option<i32>,
    pub latency_max_us: Option<i32>,
    pub histogram: Vec<u8>,
}

type Columns = (
    SqlUuid,
    Text,
    Timestamptz,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    BigInt,
    Nullable<Integer>,
    Nullable<Integer>,
    Binary,
);

/// How long one row covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// `rollup_hourly`.
    Hour,
    /// `rollup_daily`.
    Day,
}

/// The histograms that stand in the rows with these keys; only counts can be added by SQL.
///
/// # Errors
/// The database failed.
pub async fn histograms(
    conn: &mut Conn,
    span: Span,
    keys: &[(Uuid, &str, DateTime<Utc>)],
) -> QueryResult<Vec<(Uuid, String, DateTime<Utc>, Vec<u8>)>> {
    let sql = match span {
        Span::Hour => {
            "SELECT r.service_id, r.region, r.hour, r.histogram FROM unnest($1, $2, $3) \
                 AS k (service_id, region, at) \
             JOIN rollup_hourly r ON r.service_id = k.service_id AND r.hour = k.at \
                 AND r.region = k.region"
        }
        Span::Day => {
            "SELECT r.service_id, r.region, r.day, r.histogram FROM unnest($1, $2, $3) \
                 AS k (service_id, region, at) \
             JOIN rollup_daily r ON r.service_id = k.service_id AND r.day = k.at \
                 AND r.region = k.region"
        }
    };
    let services: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
    let regions: Vec<&str> = keys.iter().map(|key| key.1).collect();
    let times: Vec<DateTime<Utc>> = keys.iter().map(|key| key.2).collect();
    statement::<(SqlUuid, Text, Timestamptz, Binary)>(sql)
        .bind::<Array<SqlUuid>, _>(&services)
        .bind::<Array<Text>, _>(&regions)
        .bind::<Array<Timestamptz>, _>(&times)
        .load(conn)
        .await
}

const ADD_HOURS: &str = "INSERT INTO rollup_hourly AS r (service_id, region, hour, judged, \
    failed, inconclusive, excluded, excluded_failed, latency_sum_us, latency_min_us, \
    latency_max_us, histogram) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
    ON CONFLICT (service_id, hour, region) DO UPDATE SET \
    judged = r.judged + excluded.judged, failed = r.failed + excluded.failed, \
    inconclusive = r.inconclusive + excluded.inconclusive, \
    excluded = r.excluded + excluded.excluded, \
    excluded_failed = r.excluded_failed + excluded.excluded_failed, \
    latency_sum_us = r.latency_sum_us + excluded.latency_sum_us, \
    latency_min_us = least(r.latency_min_us, excluded.latency_min_us), \
    latency_max_us = greatest(r.latency_max_us, excluded.latency_max_us), \
    histogram = excluded.histogram";

const ADD_DAYS: &str = "INSERT INTO rollup_daily AS r (service_id, region, day, judged, \
    failed, inconclusive, excluded, excluded_failed, latency_sum_us, latency_min_us, \
    latency_max_us, histogram) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
    ON CONFLICT (service_id, day, region) DO UPDATE SET \
    judged = r.judged + excluded.judged, failed = r.failed + excluded.failed, \
    inconclusive = r.inconclusive + excluded.inconclusive, \
    excluded = r.excluded + excluded.excluded, \
    excluded_failed = r.excluded_failed + excluded.excluded_failed, \
    latency_sum_us = r.latency_sum_us + excluded.latency_sum_us, \
    latency_min_us = least(r.latency_min_us, excluded.latency_min_us), \
    latency_max_us = greatest(r.latency_max_us, excluded.latency_max_us), \
    histogram = excluded.histogram";

/// Adds counts to the rollups, each key once. The histograms are whole: merged with those that
/// [`histograms`] found.
///
/// # Errors
/// A row lies outside all partitions, or the database failed.
pub async fn add(conn: &mut Conn, span: Span, rows: &[Sum]) -> QueryResult<usize> {
    let sql = match span {
        Span::Hour => ADD_HOURS,
        Span::Day => ADD_DAYS,
    };
    statement::<()>(sql)
        .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
        .bind::<Array<Text>, _>(&column(rows, |row| row.region.as_str()))
        .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.at))
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

/// Hours of these services in `[from, to)` and from `since` on.
///
/// # Errors
/// The database failed.
pub async fn hours(
    conn: &mut Conn,
    services: &[Uuid],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    since: DateTime<Utc>,
) -> QueryResult<Vec<Sum>> {
    statement::<Columns>(
        "SELECT service_id, region, hour, judged, failed, inconclusive, excluded, \
                excluded_failed, latency_sum_us, latency_min_us, latency_max_us, histogram \
         FROM rollup_hourly WHERE service_id = ANY ($1) \
           AND ((hour >= $2 AND hour < $3) OR hour >= $4)",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .bind::<Timestamptz, _>(&from)
    .bind::<Timestamptz, _>(&to)
    .bind::<Timestamptz, _>(&since)
    .load(conn)
    .await
}

/// Days of these services in `[from, to)`.
///
/// # Errors
/// The database failed.
pub async fn days(
    conn: &mut Conn,
    services: &[Uuid],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> QueryResult<Vec<Sum>> {
    statement::<Columns>(
        "SELECT service_id, region, day, judged, failed, inconclusive, excluded, \
                excluded_failed, latency_sum_us, latency_min_us, latency_max_us, histogram \
         FROM rollup_daily WHERE service_id = ANY ($1) AND day >= $2 AND day < $3",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .bind::<Timestamptz, _>(&from)
    .bind::<Timestamptz, _>(&to)
    .load(conn)
    .await
}

fn column<'a, T>(rows: &'a [Sum], value: impl Fn(&'a Sum) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
