//! Services: what is watched.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::services;

/// A row of `services`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = services, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Service {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    /// The normalised form: what is shown, compared and probed. Immutable.
    pub url: String,
    pub interval_ms: i32,
    /// Both follow from the id (and the interval) alone; stored so that due slots are an index read.
    pub phase_ms: i32,
    pub shard: i16,
    pub timeout_ms: i32,
    pub expected_status: i16,
    /// Hundredths of a percent: 9990 is 99.9 %.
    pub sla_target: i16,
    pub ssl_expiry_days: i16,
    pub follow_redirects: bool,
    pub regions: Vec<String>,
    pub is_active: bool,
    /// Raised by every edit that changes probing, and by a resume.
    pub config_version: i32,
    /// When the last extra probe (first or manual) was asked for; spaces them.
    pub extra_probe_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
