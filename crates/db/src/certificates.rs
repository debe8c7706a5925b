//! The certificate last seen at each https service.

pub mod fold;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::certificates;
use crate::{Conn, QueryResult};

/// A row of `certificates`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = certificates, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Certificate {
    pub service_id: Uuid,
    pub fingerprint: Option<Vec<u8>>,
    /// All certificate faults, the first one first; empty: chain, name and dates all hold.
    pub errors: Vec<String>,
    pub facts: serde_json::Value,
    pub not_after: Option<DateTime<Utc>>,
    /// `scheduled_at` of the probe that saw it, so that a late result does not overwrite a newer one.
    pub seen_at: DateTime<Utc>,
    /// The lowest expiry step (days) announced for this fingerprint, and the faults announced.
    pub warned_days: Option<i16>,
    pub warned_errors: Vec<String>,
}

/// The certificates of some services.
///
/// # Errors
/// The connection is gone.
pub async fn of_services(conn: &mut Conn, services: &[Uuid]) -> QueryResult<Vec<Certificate>> {
    certificates::table
        .filter(certificates::service_id.eq_any(services))
        .select(Certificate::as_select())
        .load(conn)
        .await
}
