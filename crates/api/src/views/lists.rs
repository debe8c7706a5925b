//! Pages of things.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::paging::Pagination;
use crate::views::incident::{AlertView, IncidentView};
use crate::views::latency::Point;
use crate::views::service::Summary;

/// A page of services, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceList {
    /// The page.
    pub(crate) services: Vec<Summary>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// Everything at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dashboard {
    /// How many services have which status.
    pub(crate) counts: StatusCounts,
    /// A page of services, newest first.
    pub(crate) services: Vec<Summary>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// How many services have which status.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct StatusCounts {
    /// Without a result yet.
    pub(crate) unknown: u64,
    /// Whose last result was good.
    pub(crate) up: u64,
    /// Whose last result failed, with a streak under the threshold.
    pub(crate) failing: u64,
    /// With an open incident.
    pub(crate) down: u64,
    /// Not probed.
    pub(crate) paused: u64,
}

/// A page of alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertList {
    /// Whose alerts they are.
    pub(crate) service_id: Uuid,
    /// The page.
    pub(crate) alerts: Vec<AlertView>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// A page of incidents, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentList {
    /// The page.
    pub(crate) incidents: Vec<IncidentView>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// Latencies step by step, oldest first, steps without results among them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LatencySeries {
    /// At most 500.
    pub(crate) points: Vec<Point>,
}

/// A probe that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProbeAsked {
    /// The `id` that its result will have.
    pub(crate) probe_id: Uuid,
}
