//! Alerts: what a tenant has to know; the row comes before anything is sent.

pub mod held;
pub mod page;
pub mod raise;

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::alerts;

/// A row of `alerts`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = alerts, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Alert {
    pub id: Uuid,
    pub service_id: Uuid,
    pub user_id: Uuid,
    pub alert_type: String,
    /// incident id, breach number, or fingerprint and step: makes the second raise boring.
    pub dedupe_key: String,
    pub incident_id: Option<Uuid>,
    /// One sentence, shown to the tenant.
    pub message: String,
    /// What a renderer needs, as it was when the alert was raised.
    pub facts: serde_json::Value,
    /// NULL: not held. Else when the cooldown that holds it ends.
    pub held_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Takes the alerts of a paused or deleted service out of their cooldown: nothing waits any more.
///
/// # Errors
/// The connection is gone.
pub async fn release_of(conn: &mut crate::Conn, service: Uuid) -> crate::QueryResult<usize> {
    use diesel_async::RunQueryDsl as _;
    crate::statement::statement::<()>(
        "UPDATE alerts SET held_until = NULL WHERE service_id = $1 AND held_until IS NOT NULL",
    )
    .bind::<diesel::sql_types::Uuid, _>(&service)
    .execute(conn)
    .await
}
