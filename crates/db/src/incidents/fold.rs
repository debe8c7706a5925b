//! Incidents as results open, prolong and close them.

use diesel::QueryResult;
use diesel::sql_types::{Array, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;

use super::Incident;
use crate::Conn;
use crate::statement::statement;

/// Opens incidents; some may have ended already.
///
/// # Errors
/// A service has another open one, or the database failed.
pub async fn open(conn: &mut Conn, rows: &[Incident]) -> QueryResult<usize> {
    statement::<()>(
        "INSERT INTO incidents (id, service_id, user_id, started_at, ended_at, end_reason, cause, \
                cause_message, failed_checks, last_failure_at) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.id))
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.user_id))
    .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.started_at))
    .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.ended_at))
    .bind::<Array<Nullable<Text>>, _>(&column(rows, |row| row.end_reason.as_deref()))
    .bind::<Array<Text>, _>(&column(rows, |row| row.cause.as_str()))
    .bind::<Array<Text>, _>(&column(rows, |row| row.cause_message.as_str()))
    .bind::<Array<Integer>, _>(&column(rows, |row| row.failed_checks))
    .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.last_failure_at))
    .execute(conn)
    .await
}

/// Prolongs or ends open incidents. To be done before new ones open.
///
/// # Errors
/// The database failed.
pub async fn change(conn: &mut Conn, rows: &[Incident]) -> QueryResult<usize> {
    statement::<()>(
        "UPDATE incidents i SET ended_at = n.ended_at, end_reason = n.end_reason, \
                failed_checks = n.failed_checks, last_failure_at = n.last_failure_at \
         FROM unnest($1, $2, $3, $4, $5) \
              AS n (id, ended_at, end_reason, failed_checks, last_failure_at) \
         WHERE i.id = n.id AND i.ended_at IS NULL",
    )
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.id))
    .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.ended_at))
    .bind::<Array<Nullable<Text>>, _>(&column(rows, |row| row.end_reason.as_deref()))
    .bind::<Array<Integer>, _>(&column(rows, |row| row.failed_checks))
    .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.last_failure_at))
    .execute(conn)
    .await
}

fn column<'a, T>(rows: &'a [Incident], value: impl Fn(&'a Incident) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
