//! Wanted probes outside the schedule; the row is the truth, the message a nudge.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{Insertable, Queryable, Selectable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::extra_probes;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `extra_probes`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = extra_probes, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ExtraProbe {
    pub service_id: Uuid,
    pub region: String,
    pub kind: String,
    pub scheduled_at: DateTime<Utc>,
    pub config_version: i32,
    /// Not sent before this time (a `first` that has to wait its turn, a jittered catch-up).
    pub dispatch_at: DateTime<Utc>,
    pub avoid_prober: Option<String>,
    /// For `confirm`: the kind and time of the failure it may void.
    pub answers: Option<serde_json::Value>,
    pub created_at: DateTime<Utc>,
}

/// Asks for probes; one that was asked for already stays as it is.
///
/// # Errors
/// A service is gone, or the connection is.
pub async fn insert(conn: &mut Conn, rows: &[ExtraProbe]) -> QueryResult<usize> {
    diesel::insert_into(extra_probes::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(conn)
        .await
}

/// A wanted probe with what a job needs of its service.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct DueProbe {
    pub service_id: Uuid,
    pub region: String,
    pub kind: String,
    pub scheduled_at: DateTime<Utc>,
    pub config_version: i32,
    pub dispatch_at: DateTime<Utc>,
    pub avoid_prober: Option<String>,
    pub answers: Option<serde_json::Value>,
    pub user_id: Uuid,
    pub url: String,
    pub interval_ms: i32,
    pub timeout_ms: i32,
    pub expected_status: i16,
    pub follow_redirects: bool,
    pub is_active: bool,
    /// The service's present one; the row's own may be older.
    pub current_version: i32,
}

/// Locks up to `limit` probes whose time has come, oldest first. Leaves out what another
/// scheduler holds.
///
/// # Errors
/// The connection is gone.
pub async fn lock_due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<DueProbe>> {
    statement::<DueColumns>(
        "SELECT e.service_id, e.region, e.kind, e.scheduled_at, e.config_version, e.dispatch_at, \
                e.avoid_prober, e.answers, s.user_id, s.url, s.interval_ms, s.timeout_ms, \
                s.expected_status, s.follow_redirects, s.is_active, s.config_version \
           FROM extra_probes e JOIN services s ON s.id = e.service_id \
          WHERE e.dispatch_at <= $1 \
          ORDER BY e.dispatch_at LIMIT $2 FOR UPDATE OF e SKIP LOCKED",
    )
    .bind::<Timestamptz, _>(&now)
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await
}

/// Forgets probes that were dispatched or are no longer wanted.
///
/// # Errors
/// The connection is gone.
pub async fn delete(conn: &mut Conn, rows: &[&DueProbe]) -> QueryResult<usize> {
    let services: Vec<Uuid> = rows.iter().map(|row| row.service_id).collect();
    let regions: Vec<&str> = rows.iter().map(|row| row.region.as_str()).collect();
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.scheduled_at).collect();
    statement::<()>(
        "DELETE FROM extra_probes e USING unnest($1, $2, $3, $4) \
             AS d (service_id, region, kind, scheduled_at) \
          WHERE e.service_id = d.service_id AND e.region = d.region AND e.kind = d.kind \
            AND e.scheduled_at = d.scheduled_at",
    )
    .bind::<Array<SqlUuid>, _>(&services)
    .bind::<Array<Text>, _>(&regions)
    .bind::<Array<Text>, _>(&kinds)
    .bind::<Array<Timestamptz>, _>(&times)
    .execute(conn)
    .await
}

type DueColumns = (
    SqlUuid,
    Text,
    Text,
    Timestamptz,
    Integer,
    Timestamptz,
    Nullable<Text>,
    Nullable<Jsonb>,
    SqlUuid,
    Text,
    Integer,
    Integer,
    SmallInt,
    Bool,
    Bool,
    Integer,
);

/// Forgets every wanted probe of a service that is edited or paused.
///
/// # Errors
/// The connection is gone.
pub async fn delete_of(conn: &mut Conn, service: Uuid) -> QueryResult<usize> {
    statement::<()>("DELETE FROM extra_probes WHERE service_id = $1")
        .bind::<SqlUuid, _>(&service)
        .execute(conn)
        .await
}
