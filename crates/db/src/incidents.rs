//! Incidents: stretches in which a service was down.

pub mod fold;
pub mod page;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel::{Insertable, Queryable, Selectable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::incidents;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `incidents`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = incidents, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Incident {
    pub id: Uuid,
    pub service_id: Uuid,
    pub user_id: Uuid,
    /// `scheduled_at` of the first failure of the streak that opened it.
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<String>,
    /// The first failure's `error_kind`, and its sentence.
    pub cause: String,
    pub cause_message: String,
    pub failed_checks: i32,
    pub last_failure_at: DateTime<Utc>,
}

/// Ends the open incident of a service that is paused or deleted, if there is one.
///
/// # Errors
/// The connection is gone.
pub async fn end_open(
    conn: &mut Conn,
    service: Uuid,
    reason: &str,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    statement::<()>(
        "UPDATE incidents SET end_reason = $1, ended_at = greatest(started_at, $2) \
          WHERE service_id = $3 AND ended_at IS NULL",
    )
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(&at)
    .bind::<SqlUuid, _>(&service)
    .execute(conn)
    .await
}
