//! Health: the only row written per result; its open hour and streak.

pub mod catchup;
pub mod fold;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::health;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `health`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = health, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Health {
    pub service_id: Uuid,
    pub region: String,
    /// Failures after the newest success, of rows since `streak_since` that move state.
    pub streak: i32,
    pub streak_since: DateTime<Utc>,
    /// The newest applied result that moves state.
    pub last_scheduled_at: Option<DateTime<Utc>>,
    pub last_outcome: Option<i16>,
    pub last_failure_at: Option<DateTime<Utc>>,
    pub last_success_at: Option<DateTime<Utc>>,
    /// The newest result of any kind.
    pub last_checked_at: Option<DateTime<Utc>>,
    /// The open hour; earlier hours stand in `rollup_hourly`.
    pub hour: Option<DateTime<Utc>>,
    pub judged: i32,
    pub failed: i32,
    pub inconclusive: i32,
    pub excluded: i32,
    pub excluded_failed: i32,
    pub latency_sum_us: i64,
    pub latency_min_us: Option<i32>,
    pub latency_max_us: Option<i32>,
    pub histogram: Vec<u8>,
    /// The slot for which a catch-up probe was asked.
    pub catchup_for: Option<DateTime<Utc>>,
}

/// Adds the row of a new service in one region.
///
/// # Errors
/// The service is gone, or the connection is.
pub async fn add(
    conn: &mut Conn,
    service: Uuid,
    region: &str,
    since: DateTime<Utc>,
) -> QueryResult<()> {
    statement::<()>("INSERT INTO health (service_id, region, streak_since) VALUES ($1, $2, $3)")
        .bind::<SqlUuid, _>(&service)
        .bind::<Text, _>(region)
        .bind::<Timestamptz, _>(&since)
        .execute(conn)
        .await
        .map(drop)
}

/// Locks the rows of one service, the first lock of everybody who changes it.
///
/// # Errors
/// The connection is gone.
pub async fn lock_of(conn: &mut Conn, service: Uuid) -> QueryResult<Vec<Health>> {
    health::table
        .filter(health::service_id.eq(service))
        .order(health::region)
        .select(Health::as_select())
        .for_update()
        .load(conn)
        .await
}

/// The rows of some services.
///
/// # Errors
/// The connection is gone.
pub async fn of_services(conn: &mut Conn, services: &[Uuid]) -> QueryResult<Vec<Health>> {
    health::table
        .filter(health::service_id.eq_any(services))
        .order((health::service_id, health::region))
        .select(Health::as_select())
        .load(conn)
        .await
}

/// Sets the streak to 0; with `since`, only results from then on count into the next one.
///
/// # Errors
/// The connection is gone.
pub async fn end_streak(
    conn: &mut Conn,
    service: Uuid,
    since: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    statement::<()>(
        "UPDATE health SET streak = 0, streak_since = coalesce($1, streak_since) \
          WHERE service_id = $2",
    )
    .bind::<Nullable<Timestamptz>, _>(&since)
    .bind::<SqlUuid, _>(&service)
    .execute(conn)
    .await
    .map(drop)
}
