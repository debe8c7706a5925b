//! Wanted probes outside the schedule; the row is the truth, the message a nudge.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::extra_probes;

/// A row of `extra_probes`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = extra_probes, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ExtraProbe {
    pub service_id: Uuid,
    pub region: String,
    pub kind: String,
    pub scheduled_at: DateTime<Utc>,
    pub config_version: i32,
    /// Not sent before this time (a `first` that has to wait its turn, a jittered catch-up).
    pub dispatch_at: DateTime<Utc>,
    pub avoid_prober: Option<String>,
    /// For `confirm`: the kind and time of the failure it may void.
    pub answers: Option<serde_json::Value>,
    pub created_at: DateTime<Utc>,
}
