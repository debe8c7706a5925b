//! What a tenant watches: overview, one service, its alerts, incidents and latencies.

use actix_web::web::ServiceConfig;

/// The routes under `/dashboard`.
pub(crate) fn routes(_config: &mut ServiceConfig) {}
