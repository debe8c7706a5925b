//! Incidents and alerts as a tenant sees them.

use db::alerts::page::Told;
use db::incidents::Incident;
use models::Time;
use models::alert::{DeliveryStatus, alert_status};
use serde::Serialize;
use uuid::Uuid;

use crate::views::format;

/// A stretch of being down.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct IncidentView {
    pub(crate) id: Uuid,
    pub(crate) started_at: String,
    pub(crate) ended_at: Option<String>,
    /// So far, where it goes on.
    pub(crate) duration_seconds: i64,
    /// The first failure's kind.
    pub(crate) cause: String,
    pub(crate) end_reason: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct AlertView {
    pub(crate) id: Uuid,
    pub(crate) alert_type: String,
    pub(crate) message: String,
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
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
