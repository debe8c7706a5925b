//! Service state: status, open incident, cooldown stamps, cached window sums.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::service_state;

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
