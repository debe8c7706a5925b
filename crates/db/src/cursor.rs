//! The schedule cursor: up to which moment a shard's slots have been dispatched.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};

use crate::schema::schedule_cursor;

/// A row of `schedule_cursor`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = schedule_cursor, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Cursor {
    pub shard: i16,
    pub scheduled_through: DateTime<Utc>,
}
