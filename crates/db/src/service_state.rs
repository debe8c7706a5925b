//! Service state: status, open incident, cooldown stamps, cached window sums.

pub mod fold;

use chrono::{DateTime, Utc};
use diesel::sql_types::Uuid as SqlUuid;
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::service_state;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `service_state`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = service_state, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ServiceState {
    pub service_id: Uuid,
    pub status: String,
    pub incident_id: Option<Uuid>,
    pub sla_breached: bool,
    /// Counts breaches, so that each has a key of its own.
    pub sla_breaches: i32,
    /// Starts of the current cooldowns.
    pub failure_alerted_at: Option<DateTime<Utc>>,
    pub sla_alerted_at: Option<DateTime<Utc>>,
    /// Sums of closed hours, computed at `window_at` and never subtracted from: the last 24 hours and the SLA window, both up to `window_hour` (exclusive). The open hour is added when read.
    pub window_at: Option<DateTime<Utc>>,
    pub window_hour: Option<DateTime<Utc>>,
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

/// Adds the row of a new service.
///
/// # Errors
/// The service is gone, or the connection is.
pub async fn add(conn: &mut Conn, service: Uuid) -> QueryResult<()> {
    statement::<()>("INSERT INTO service_state (service_id, status) VALUES ($1, 'unknown')")
        .bind::<SqlUuid, _>(&service)
        .execute(conn)
        .await
        .map(drop)
}

/// Locks the row of one service, after its health rows.
///
/// # Errors
/// The service is gone, or the connection is.
pub async fn lock_of(conn: &mut Conn, service: Uuid) -> QueryResult<ServiceState> {
    service_state::table
        .find(service)
        .select(ServiceState::as_select())
        .for_update()
        .first(conn)
        .await
}

/// The rows of some services.
///
/// # Errors
/// The connection is gone.
pub async fn of_services(conn: &mut Conn, services: &[Uuid]) -> QueryResult<Vec<ServiceState>> {
    service_state::table
        .filter(service_state::service_id.eq_any(services))
        .select(ServiceState::as_select())
        .load(conn)
        .await
}

/// Nothing is known of a service that is paused or resumed: no status, no incident.
///
/// # Errors
/// The connection is gone.
pub async fn forget(conn: &mut Conn, service: Uuid) -> QueryResult<()> {
    diesel::update(service_state::table.find(service))
        .set((
            service_state::status.eq("unknown"),
            service_state::incident_id.eq(None::<Uuid>),
        ))
        .execute(conn)
        .await
        .map(drop)
}
