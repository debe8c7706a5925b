//! How the process is.

use serde::Serialize;
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `ok`.
    pub(crate) status: &'static str,
}

/// The process and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy` or `unhealthy`.
    pub(crate) status: &'static str,
    /// `connected` or `disconnected`.
    pub(crate) database: &'static str,
    /// The release that answers.
    pub(crate) version: &'static str,
    /// How long the process has been running.
    pub(crate) uptime_seconds: u64,
}
