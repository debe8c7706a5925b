//! Certificates as results see them: read without their facts, which no rule compares.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// What was seen, and what was announced of it. Lists are separated by commas.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Seen {
    pub service_id: Uuid,
    /// In lower-case hex.
    pub fingerprint: String,
    pub errors: String,
    pub seen_at: DateTime<Utc>,
    pub warned_days: Option<i16>,
    pub warned_errors: String,
}

/// The certificates of services whose health rows are locked.
///
/// # Errors
/// The database failed.
pub async fn seen(conn: &mut Conn, services: &[Uuid]) -> QueryResult<Vec<Seen>> {
    statement::<(SqlUuid, Text, Text, Timestamptz, Nullable<SmallInt>, Text)>(
        "SELECT service_id, coalesce(encode(fingerprint, 'hex'), ''), \
                array_to_string(errors, ','), seen_at, warned_days, \
                array_to_string(warned_errors, ',') \
         FROM certificates WHERE service_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .load(conn)
    .await
}

/// Keeps certificates, with their facts and the end of their validity.
///
/// # Errors
/// The database failed.
pub async fn keep(
    conn: &mut Conn,
    rows: &[Seen],
    facts: &[Value],
    not_after: &[Option<DateTime<Utc>>],
) -> QueryResult<usize> {
    statement::<()>(
        "INSERT INTO certificates (service_id, fingerprint, errors, seen_at, warned_days, \
                warned_errors, facts, not_after) \
         SELECT service_id, decode(fingerprint, 'hex'), string_to_array(errors, ','), seen_at, \
                warned_days, string_to_array(warned_errors, ','), facts, not_after \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS n (service_id, fingerprint, errors, \
                seen_at, warned_days, warned_errors, facts, not_after) \
         ON CONFLICT (service_id) DO UPDATE SET fingerprint = excluded.fingerprint, \
                errors = excluded.errors, seen_at = excluded.seen_at, \
                warned_days = excluded.warned_days, warned_errors = excluded.warned_errors, \
                facts = excluded.facts, not_after = excluded.not_after",
    )
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
    .bind::<Array<Text>, _>(&column(rows, |row| row.fingerprint.as_str()))
    .bind::<Array<Text>, _>(&column(rows, |row| row.errors.as_str()))
    .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.seen_at))
    .bind::<Array<Nullable<SmallInt>>, _>(&column(rows, |row| row.warned_days))
    .bind::<Array<Text>, _>(&column(rows, |row| row.warned_errors.as_str()))
    .bind::<Array<Jsonb>, _>(facts)
    .bind::<Array<Nullable<Timestamptz>>, _>(not_after)
    .execute(conn)
    .await
}

fn column<'a, T>(rows: &'a [Seen], value: impl Fn(&'a Seen) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
