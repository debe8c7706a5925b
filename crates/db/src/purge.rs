//! Deleted services whose history is still to be removed.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::purge;

/// A row of `purge`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = purge, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Purge {
    pub service_id: Uuid,
    pub user_id: Uuid,
    pub requested_at: DateTime<Utc>,
}
