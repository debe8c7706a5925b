//! Rollups: closed hours and days, changed only by adding to them under the health lock.

pub mod sums;
pub mod void;

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::{rollup_daily, rollup_hourly};

/// A row of `rollup_hourly`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = rollup_hourly, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct HourlyRollup {
    pub service_id: Uuid,
    pub region: String,
    pub hour: DateTime<Utc>,
    pub judged: i32,
    pub failed: i32,
    pub inconclusive: i32,
    pub excluded: i32,
    pub excluded_failed: i32,
    pub latency_sum_us: i64,
    pub latency_min_us: Option<i32>,
    pub latency_max_us: Option<i32>,
    pub histogram: Vec<u8>,
}

/// A row of `rollup_daily`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = rollup_daily, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct DailyRollup {
    pub service_id: Uuid,
    pub region: String,
    pub day: DateTime<Utc>,
    pub judged: i32,
    pub failed: i32,
    pub inconclusive: i32,
    pub excluded: i32,
    pub excluded_failed: i32,
    pub latency_sum_us: i64,
    pub latency_min_us: Option<i32>,
    pub latency_max_us: Option<i32>,
    pub histogram: Vec<u8>,
}
