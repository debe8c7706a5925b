//! Held alerts at the end of their cooldown.
//!
//! The caller's transaction goes by the lock order: [`lock_state`], [`lock_held`], then
//! [`release`] or [`suppress`].

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension as _, QueryResult};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// A held alert and its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct HeldDue {
    /// The alert.
    pub alert_id: Uuid,
    /// What it is about.
    pub service_id: Uuid,
}

/// Held alerts whose cooldown has ended, the first to end first. Locks nothing.
///
/// # Errors
/// The database failed.
pub async fn held_due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<HeldDue>> {
    statement::<(SqlUuid, SqlUuid)>(
        "SELECT id, service_id FROM alerts WHERE held_until <= $1 ORDER BY held_until LIMIT $2",
    )
    .bind::<Timestamptz, _>(&now)
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await
}

/// What a held alert is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct HeldState {
    /// Whether the service is active.
    pub is_active: bool,
    /// The open incident.
    pub incident_id: Option<Uuid>,
    /// Whether the SLA is breached.
    pub sla_breached: bool,
    /// Number of the newest breach.
    pub sla_breaches: i32,
    /// Start of the cooldown of failure streaks.
    pub failure_alerted_at: Option<DateTime<Utc>>,
    /// Start of the cooldown of SLA breaches.
    pub sla_alerted_at: Option<DateTime<Utc>>,
}

/// Locks the state of a service until the end of the transaction; `None` if the service is gone.
///
/// # Errors
/// The database failed.
pub async fn lock_state(conn: &mut Conn, service_id: Uuid) -> QueryResult<Option<HeldState>> {
    let locked = statement::<SqlUuid>(
        "SELECT service_id FROM service_state WHERE service_id = $1 FOR UPDATE",
    )
    .bind::<SqlUuid, _>(&service_id)
    .get_result::<Uuid>(conn)
    .await
    .optional()?;
    if locked.is_none() {
        return Ok(None);
    }
    // In a statement of its own: a snapshot from before the lock could show the service as it
    // was before a pause.
    statement::<(
        Bool,
        Nullable<SqlUuid>,
        Bool,
        Integer,
        Nullable<Timestamptz>,
        Nullable<Timestamptz>,
    )>(
        "SELECT v.is_active, s.incident_id, s.sla_breached, s.sla_breaches, \
                s.failure_alerted_at, s.sla_alerted_at \
         FROM service_state s JOIN services v ON v.id = s.service_id WHERE s.service_id = $1",
    )
    .bind::<SqlUuid, _>(&service_id)
    .get_result(conn)
    .await
    .optional()
}

/// A held alert, locked by this transaction.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct HeldAlert {
    /// Its kind.
    pub alert_type: String,
    /// Which incident or breach it tells of.
    pub dedupe_key: String,
}

/// Locks the alert if it is still held and its cooldown has ended; `None`: somebody else was first.
///
/// # Errors
/// The database failed.
pub async fn lock_held(
    conn: &mut Conn,
    alert_id: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<Option<HeldAlert>> {
    statement::<(Text, Text)>(
        "SELECT alert_type, dedupe_key FROM alerts WHERE id = $1 AND held_until <= $2 FOR UPDATE",
    )
    .bind::<SqlUuid, _>(&alert_id)
    .bind::<Timestamptz, _>(&now)
    .get_result(conn)
    .await
    .optional()
}

/// Starts of cooldowns, to be written back to the service's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CooldownStarts {
    /// Of failure streaks.
    pub failure_alerted_at: Option<DateTime<Utc>>,
    /// Of SLA breaches.
    pub sla_alerted_at: Option<DateTime<Utc>>,
}

/// Lets a held alert go: its deliveries are due at `now`, and the cooldown begins anew.
///
/// # Errors
/// The database failed.
pub async fn release(
    conn: &mut Conn,
    held: HeldDue,
    starts: CooldownStarts,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    statement::<()>(
        "UPDATE service_state SET failure_alerted_at = $1, sla_alerted_at = $2 \
         WHERE service_id = $3",
    )
    .bind::<Nullable<Timestamptz>, _>(&starts.failure_alerted_at)
    .bind::<Nullable<Timestamptz>, _>(&starts.sla_alerted_at)
    .bind::<SqlUuid, _>(&held.service_id)
    .execute(conn)
    .await?;
    no_longer_held(conn, held.alert_id).await?;
    statement::<()>(
        "UPDATE deliveries SET status = 'pending', next_attempt_at = $1 \
         WHERE alert_id = $2 AND status = 'held'",
    )
    .bind::<Timestamptz, _>(&now)
    .bind::<SqlUuid, _>(&held.alert_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a held alert that is no longer true, and with it the recoveries that wait for it.
///
/// # Errors
/// The database failed.
pub async fn suppress(conn: &mut Conn, alert_id: Uuid, reason: &str) -> QueryResult<()> {
    no_longer_held(conn, alert_id).await?;
    let ended: Vec<Uuid> = statement::<SqlUuid>(
        "UPDATE deliveries SET status = 'suppressed', last_error = $1 \
         WHERE alert_id = $2 AND status = 'held' RETURNING id",
    )
    .bind::<Text, _>(reason)
    .bind::<SqlUuid, _>(&alert_id)
    .load(conn)
    .await?;
    statement::<()>(
        "UPDATE deliveries SET status = 'suppressed', last_error = $1 \
         WHERE follows = ANY ($2) AND status IN ('held', 'pending')",
    )
    .bind::<Text, _>(reason)
    .bind::<Array<SqlUuid>, _>(&ended)
    .execute(conn)
    .await?;
    Ok(())
}

async fn no_longer_held(conn: &mut Conn, alert_id: Uuid) -> QueryResult<()> {
    statement::<()>("UPDATE alerts SET held_until = NULL WHERE id = $1")
        .bind::<SqlUuid, _>(&alert_id)
        .execute(conn)
        .await?;
    Ok(())
}
