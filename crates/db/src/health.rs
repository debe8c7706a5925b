//! Health: the only row written per result; its open hour and streak.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::health;

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
