//! Deliveries: one per alert and channel, and account mail in a lane of its own.

pub mod account;
pub mod claim;

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::deliveries;

/// A row of `deliveries`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = deliveries, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Delivery {
    pub id: Uuid,
    /// Alert mail and account mail travel the same road in lanes of their own.
    pub lane: String,
    pub alert_id: Option<Uuid>,
    pub user_id: Uuid,
    pub service_id: Option<Uuid>,
    pub channel: String,
    pub recipient: String,
    pub status: String,
    /// A recovery waits for the failure delivery of its channel.
    pub follows: Option<Uuid>,
    pub attempts: i32,
    pub first_attempt_at: Option<DateTime<Utc>>,
    pub next_attempt_at: DateTime<Utc>,
    /// Who may send it, until when: a fencing number that only rises.
    pub fence: i64,
    pub lease_until: Option<DateTime<Utc>>,
    /// The exact bytes handed to the provider, rendered once.
    pub rendered: Option<serde_json::Value>,
    pub last_error: Option<String>,
    pub provider_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// Voids what is unsent of a paused or deleted service. What an alerter is sending this very
/// moment may still arrive, and is then recorded as sent; it is not tried again.
///
/// # Errors
/// The connection is gone.
pub async fn suppress_of(conn: &mut crate::Conn, service: Uuid) -> crate::QueryResult<usize> {
    use diesel_async::RunQueryDsl as _;
    crate::statement::statement::<()>(
        "UPDATE deliveries SET status = 'suppressed', lease_until = NULL \
          WHERE service_id = $1 AND lane = 'alert' AND status IN ('held', 'pending', 'sending')",
    )
    .bind::<diesel::sql_types::Uuid, _>(&service)
    .execute(conn)
    .await
}
