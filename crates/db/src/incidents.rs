//! Incidents: stretches in which a service was down.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::incidents;

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
