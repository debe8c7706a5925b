//! Probe results: one row a probe, partitioned by UTC day.

pub mod doubt;
pub mod page;
pub mod streak;

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{Insertable, Queryable, Selectable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::probe_results;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `probe_results`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = probe_results, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ProbeResult {
    pub service_id: Uuid,
    pub scheduled_at: DateTime<Utc>,
    pub region: String,
    pub kind: i16,
    pub outcome: i16,
    pub status_code: Option<i16>,
    pub config_version: i32,
    pub probe_id: Uuid,
    pub checked_at: DateTime<Utc>,
    /// Counted in sums: of kind slot, judged or inconclusive, and inside the span of its `config_version`.
    pub counted: bool,
    /// May move status and streak: slot, first or catchup, of the configuration current when it arrived.
    pub moves_state: bool,
    pub voided: bool,
    pub error_kind: Option<i16>,
    pub hops: i16,
    /// Microseconds.
    pub latency_us: Option<i32>,
    pub dns_us: Option<i32>,
    pub connect_us: Option<i32>,
    pub tls_us: Option<i32>,
    pub request_us: Option<i32>,
    pub first_byte_us: Option<i32>,
    pub total_us: Option<i32>,
    pub error_message: Option<String>,
    /// For the operator only.
    pub prober: String,
}

const INSERT_NEW: &str = "INSERT INTO probe_results ( \
    service_id, scheduled_at, region, kind, outcome, status_code, config_version, probe_id, \
    checked_at, counted, moves_state, voided, error_kind, hops, latency_us, dns_us, \
    connect_us, tls_us, request_us, first_byte_us, total_us, error_message, prober \
    ) SELECT * FROM unnest( \
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
    $20, $21, $22, $23 \
    ) ON CONFLICT DO NOTHING RETURNING probe_id";

/// Inserts what is new of `rows` and returns the `probe_id`s of the rows that took: a result
/// that was here before, or stands twice in `rows`, takes no second time.
///
/// # Errors
/// A row lies outside all partitions (a [`crate::Failure::Constraint`] without a name), or the
/// connection is gone.
pub async fn insert_new(conn: &mut Conn, rows: &[ProbeResult]) -> QueryResult<Vec<Uuid>> {
    statement::<SqlUuid>(INSERT_NEW)
        .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
        .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.scheduled_at))
        .bind::<Array<Text>, _>(&column(rows, |row| row.region.as_str()))
        .bind::<Array<SmallInt>, _>(&column(rows, |row| row.kind))
        .bind::<Array<SmallInt>, _>(&column(rows, |row| row.outcome))
        .bind::<Array<Nullable<SmallInt>>, _>(&column(rows, |row| row.status_code))
        .bind::<Array<Integer>, _>(&column(rows, |row| row.config_version))
        .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.probe_id))
        .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.checked_at))
        .bind::<Array<Bool>, _>(&column(rows, |row| row.counted))
        .bind::<Array<Bool>, _>(&column(rows, |row| row.moves_state))
        .bind::<Array<Bool>, _>(&column(rows, |row| row.voided))
        .bind::<Array<Nullable<SmallInt>>, _>(&column(rows, |row| row.error_kind))
        .bind::<Array<SmallInt>, _>(&column(rows, |row| row.hops))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.latency_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.dns_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.connect_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.tls_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.request_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.first_byte_us))
        .bind::<Array<Nullable<Integer>>, _>(&column(rows, |row| row.total_us))
        .bind::<Array<Nullable<Text>>, _>(&column(rows, |row| row.error_message.as_deref()))
        .bind::<Array<Text>, _>(&column(rows, |row| row.prober.as_str()))
        .load(conn)
        .await
}

/// One column of `rows`, as UNNEST takes it.
fn column<'a, T>(rows: &'a [ProbeResult], value: impl Fn(&'a ProbeResult) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// How many results of a service count that are of slots in `within`.
///
/// # Errors
/// The connection is gone.
pub async fn counted_within(
    conn: &mut Conn,
    service: Uuid,
    within: Range<DateTime<Utc>>,
) -> QueryResult<i64> {
    statement::<diesel::sql_types::BigInt>(
        "SELECT count(*) FROM probe_results \
          WHERE service_id = $1 AND scheduled_at >= $2 AND scheduled_at < $3 AND counted",
    )
    .bind::<SqlUuid, _>(&service)
    .bind::<Timestamptz, _>(&within.start)
    .bind::<Timestamptz, _>(&within.end)
    .get_result(conn)
    .await
}
