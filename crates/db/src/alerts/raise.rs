//! Alerts and their deliveries, as a result's transaction raises them.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Alert;
use crate::Conn;
use crate::deliveries::Delivery;
use crate::statement::statement;

/// Inserts alerts and returns the ids of those that nobody raised before.
///
/// # Errors
/// The database failed.
pub async fn insert_new(conn: &mut Conn, rows: &[Alert]) -> QueryResult<Vec<Uuid>> {
    statement::<SqlUuid>(
        "INSERT INTO alerts (id, service_id, user_id, alert_type, dedupe_key, incident_id, message, \
                facts, held_until, created_at) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.id))
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.service_id))
    .bind::<Array<SqlUuid>, _>(&column(rows, |row| row.user_id))
    .bind::<Array<Text>, _>(&column(rows, |row| row.alert_type.as_str()))
    .bind::<Array<Text>, _>(&column(rows, |row| row.dedupe_key.as_str()))
    .bind::<Array<Nullable<SqlUuid>>, _>(&column(rows, |row| row.incident_id))
    .bind::<Array<Text>, _>(&column(rows, |row| row.message.as_str()))
    .bind::<Array<Jsonb>, _>(&column(rows, |row| row.facts.clone()))
    .bind::<Array<Nullable<Timestamptz>>, _>(&column(rows, |row| row.held_until))
    .bind::<Array<Timestamptz>, _>(&column(rows, |row| row.created_at))
    .load(conn)
    .await
}

/// Deliveries of the failure alerts of these incidents: (incident, delivery, channel, recipient).
///
/// # Errors
/// The database failed.
pub async fn failures_told(
    conn: &mut Conn,
    services: &[Uuid],
    incidents: &[String],
) -> QueryResult<Vec<(Uuid, Uuid, String, String)>> {
    statement::<(SqlUuid, SqlUuid, Text, Text)>(
        "SELECT a.incident_id, d.id, d.channel, d.recipient \
         FROM unnest($1, $2) AS k (service_id, incident) \
         JOIN alerts a ON a.service_id = k.service_id AND a.alert_type = 'failure_streak' \
              AND a.dedupe_key = k.incident \
         JOIN deliveries d ON d.alert_id = a.id \
         WHERE a.incident_id IS NOT NULL",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .bind::<Array<Text>, _>(incidents)
    .load(conn)
    .await
}

/// Where mail for these users goes now; users that are gone are left out.
///
/// # Errors
/// The database failed.
pub async fn recipients(conn: &mut Conn, users: &[Uuid]) -> QueryResult<Vec<(Uuid, String)>> {
    statement::<(SqlUuid, Text)>("SELECT id, email FROM users WHERE id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(users)
        .load(conn)
        .await
}

/// Inserts fresh deliveries: nothing of them was tried yet.
///
/// # Errors
/// The database failed.
pub async fn deliver(conn: &mut Conn, rows: &[Delivery], now: DateTime<Utc>) -> QueryResult<usize> {
    let column = |value: fn(&Delivery) -> &str| rows.iter().map(value).collect::<Vec<&str>>();
    let ids = |value: fn(&Delivery) -> Option<Uuid>| rows.iter().map(value).collect::<Vec<_>>();
    let users: Vec<Uuid> = rows.iter().map(|row| row.user_id).collect();
    let keys: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    statement::<()>(
        "INSERT INTO deliveries (id, lane, alert_id, user_id, service_id, channel, recipient, \
                status, follows, next_attempt_at, created_at) \
         SELECT n.*, $1, $1 FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) AS n \
         ON CONFLICT DO NOTHING",
    )
    .bind::<Timestamptz, _>(&now)
    .bind::<Array<SqlUuid>, _>(&keys)
    .bind::<Array<Text>, _>(&column(|row| &row.lane))
    .bind::<Array<Nullable<SqlUuid>>, _>(&ids(|row| row.alert_id))
    .bind::<Array<SqlUuid>, _>(&users)
    .bind::<Array<Nullable<SqlUuid>>, _>(&ids(|row| row.service_id))
    .bind::<Array<Text>, _>(&column(|row| &row.channel))
    .bind::<Array<Text>, _>(&column(|row| &row.recipient))
    .bind::<Array<Text>, _>(&column(|row| &row.status))
    .bind::<Array<Nullable<SqlUuid>>, _>(&ids(|row| row.follows))
    .execute(conn)
    .await
}

fn column<'a, T>(rows: &'a [Alert], value: impl Fn(&'a Alert) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
