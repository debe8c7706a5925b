//! Spans: half-open stretches in which a service was active with one configuration.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::service_spans;

/// A row of `service_spans`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = service_spans, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ServiceSpan {
    pub service_id: Uuid,
    pub config_version: i32,
    pub interval_ms: i32,
    pub phase_ms: i32,
    pub regions: Vec<String>,
    pub from_at: DateTime<Utc>,
    pub to_at: Option<DateTime<Utc>>,
}
