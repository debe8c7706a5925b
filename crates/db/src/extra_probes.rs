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
    /// Not sent before this time: [`ExtraProbe::scheduled_at`] at first, later when a claim of it
    /// is over or another try is due.
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

/// Which probes to claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Those whose time had come by now.
    pub now: DateTime<Utc>,
    /// Nobody else finds them before this time: dispatch and [`delete`] them until then.
    pub until: DateTime<Utc>,
    /// Regions to leave out.
    pub except: &'a [String],
    /// At most so many.
    pub limit: i64,
}

/// Claims probes whose time has come, those that have waited longest for a turn first, by moving
/// their `dispatch_at`. Leaves out what another scheduler is claiming. No row stays locked: one
/// whose claimant dies is found again when the claim is over.
///
/// # Errors
/// The connection is gone.
pub async fn claim_due(conn: &mut Conn, claim: &Claim<'_>) -> QueryResult<Vec<DueProbe>> {
    statement::<DueColumns>(
        "WITH due AS ( \
             SELECT service_id, region, kind, scheduled_at FROM extra_probes \
              WHERE dispatch_at <= $1 AND region <> ALL ($2) \
              ORDER BY dispatch_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
         UPDATE extra_probes e SET dispatch_at = $4 FROM due d, services s \
          WHERE e.service_id = d.service_id AND e.region = d.region AND e.kind = d.kind \
            AND e.scheduled_at = d.scheduled_at AND s.id = e.service_id \
         RETURNING e.service_id, e.region, e.kind, e.scheduled_at, e.config_version, \
                e.avoid_prober, e.answers, s.user_id, s.url, s.interval_ms, s.timeout_ms, \
                s.expected_status, s.follow_redirects, s.is_active, s.config_version",
    )
    .bind::<Timestamptz, _>(&claim.now)
    .bind::<Array<Text>, _>(claim.except)
    .bind::<BigInt, _>(&claim.limit)
    .bind::<Timestamptz, _>(&claim.until)
    .load(conn)
    .await
}

type DueColumns = (
    SqlUuid,
    Text,
    Text,
    Timestamptz,
    Integer,
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

/// Gives claimed probes back that could not be dispatched, for another try at `again_at`.
///
/// # Errors
/// The connection is gone.
pub async fn put_back(
    conn: &mut Conn,
    rows: &[&DueProbe],
    again_at: DateTime<Utc>,
) -> QueryResult<usize> {
    let keys = Keys::of(rows);
    statement::<()>(
        "UPDATE extra_probes e SET dispatch_at = $1 FROM unnest($2, $3, $4, $5) \
             AS d (service_id, region, kind, scheduled_at) \
          WHERE e.service_id = d.service_id AND e.region = d.region AND e.kind = d.kind \
            AND e.scheduled_at = d.scheduled_at",
    )
    .bind::<Timestamptz, _>(&again_at)
    .bind::<Array<SqlUuid>, _>(&keys.services)
    .bind::<Array<Text>, _>(&keys.regions)
    .bind::<Array<Text>, _>(&keys.kinds)
    .bind::<Array<Timestamptz>, _>(&keys.times)
    .execute(conn)
    .await
}

/// Forgets probes that were dispatched or are no longer wanted.
///
/// # Errors
/// The connection is gone.
pub async fn delete(conn: &mut Conn, rows: &[&DueProbe]) -> QueryResult<usize> {
    let keys = Keys::of(rows);
    statement::<()>(
        "DELETE FROM extra_probes e USING unnest($1, $2, $3, $4) \
             AS d (service_id, region, kind, scheduled_at) \
          WHERE e.service_id = d.service_id AND e.region = d.region AND e.kind = d.kind \
            AND e.scheduled_at = d.scheduled_at",
    )
    .bind::<Array<SqlUuid>, _>(&keys.services)
    .bind::<Array<Text>, _>(&keys.regions)
    .bind::<Array<Text>, _>(&keys.kinds)
    .bind::<Array<Timestamptz>, _>(&keys.times)
    .execute(conn)
    .await
}

/// The primary keys of rows, as columns.
struct Keys<'a> {
    services: Vec<Uuid>,
    regions: Vec<&'a str>,
    kinds: Vec<&'a str>,
    times: Vec<DateTime<Utc>>,
}

impl<'a> Keys<'a> {
    fn of(rows: &[&'a DueProbe]) -> Self {
        Self {
            services: rows.iter().map(|row| row.service_id).collect(),
            regions: rows.iter().map(|row| row.region.as_str()).collect(),
            kinds: rows.iter().map(|row| row.kind.as_str()).collect(),
            times: rows.iter().map(|row| row.scheduled_at).collect(),
        }
    }
}

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
