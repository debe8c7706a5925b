//! Incidents and alerts as a tenant sees them.

use db::alerts::page::Told;
use db::incidents::Incident;
use models::Time;
use models::alert::{DeliveryStatus, alert_status};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::openapi::values::{
    AlertKindName, DeliveryStatusName, EndReasonName, ErrorKindName, Timestamp,
};
use crate::views::format;

/// A stretch of being down.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Incident)]
pub(crate) struct IncidentView {
    /// Its id.
    pub(crate) id: Uuid,
    /// When the first failure of its streak was due.
    #[schema(value_type = Timestamp)]
    pub(crate) started_at: String,
    /// `null` while it goes on.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) ended_at: Option<String>,
    /// So far, where it goes on.
    pub(crate) duration_seconds: i64,
    /// The first failure's kind.
    #[schema(value_type = ErrorKindName)]
    pub(crate) cause: String,
    /// `null` while it goes on.
    #[schema(value_type = Option<EndReasonName>)]
    pub(crate) end_reason: Option<String>,
    /// How many checks failed in it.
    pub(crate) failed_checks: i32,
}

/// Shows a row.
#[must_use]
pub(crate) fn incident(row: Incident, now: Time) -> IncidentView {
    let until = row.ended_at.unwrap_or(now);
    IncidentView {
        id: row.id,
        started_at: format::time(row.started_at),
        ended_at: row.ended_at.map(format::time),
        duration_seconds: (until - row.started_at).num_seconds().max(0),
        cause: row.cause,
        end_reason: row.end_reason,
        failed_checks: row.failed_checks,
    }
}

/// Something the owner was, or is to be, told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertView {
    /// Its id.
    pub(crate) id: Uuid,
    /// What it is about.
    #[schema(value_type = AlertKindName)]
    pub(crate) alert_type: String,
    /// What it says, in a sentence.
    pub(crate) message: String,
    /// What became of it.
    #[schema(value_type = DeliveryStatusName)]
    pub(crate) status: &'static str,
    /// When it was raised.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// When it was first sent.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) sent_at: Option<String>,
}

/// Shows a row.
#[must_use]
pub(crate) fn alert(row: Told) -> AlertView {
    let deliveries: Vec<DeliveryStatus> = row
        .deliveries
        .iter()
        .filter_map(|status| DeliveryStatus::from_name(status))
        .collect();
    AlertView {
        id: row.id,
        alert_type: row.alert_type,
        message: row.message,
        status: alert_status(&deliveries).as_str(),
        created_at: format::time(row.created_at),
        sent_at: row.sent_at.map(format::time),
    }
}
