//! A service together with its state, as a verdict needs them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// A service, its state, and its open incident.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migrations document the columns")]
pub struct Watched {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub url: String,
    pub is_active: bool,
    pub config_version: i32,
    pub timeout_ms: i32,
    pub sla_target: i16,
    pub ssl_expiry_days: i16,
    pub status: String,
    pub sla_breached: bool,
    pub sla_breaches: i32,
    pub window_at: Option<DateTime<Utc>>,
    pub day_judged: i64,
    pub day_failed: i64,
    pub day_excluded: i64,
    pub day_excluded_failed: i64,
    pub sla_judged: i64,
    pub sla_failed: i64,
    pub sla_inconclusive: i64,
    pub sla_excluded: i64,
    pub sla_excluded_failed: i64,
    pub incident_id: Option<Uuid>,
    pub incident_started_at: Option<DateTime<Utc>>,
    pub incident_cause: Option<String>,
    pub incident_cause_message: Option<String>,
    pub incident_failed_checks: Option<i32>,
    pub incident_last_failure_at: Option<DateTime<Utc>>,
}

type Columns = (
    SqlUuid,
    SqlUuid,
    Text,
    Text,
    Bool,
    Integer,
    Integer,
    SmallInt,
    SmallInt,
    Text,
    Bool,
    Integer,
    Nullable<Timestamptz>,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Nullable<SqlUuid>,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Integer>,
    Nullable<Timestamptz>,
);

/// The services `ids` with their state. Exact while their health rows are locked; to be read in a
/// statement after the lock, whose snapshot would be older than what it waited for.
///
/// # Errors
/// The database failed.
pub async fn watched(conn: &mut Conn, ids: &[Uuid]) -> QueryResult<Vec<Watched>> {
    statement::<Columns>(
        "SELECT s.id, s.user_id, s.name, s.url, s.is_active, s.config_version, s.timeout_ms, \
                s.sla_target, s.ssl_expiry_days, t.status, t.sla_breached, t.sla_breaches, t.window_at, \
                t.day_judged, t.day_failed, t.day_excluded, t.day_excluded_failed, \
                t.sla_judged, t.sla_failed, t.sla_inconclusive, t.sla_excluded, \
                t.sla_excluded_failed, i.id, i.started_at, i.cause, i.cause_message, \
                i.failed_checks, i.last_failure_at \
         FROM services s \
         JOIN service_state t ON t.service_id = s.id \
         LEFT JOIN incidents i ON i.id = t.incident_id AND i.ended_at IS NULL \
         WHERE s.id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await
}
