//! `operations`: how the process is, and the document itself.

use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::ToSchema;

use super::operation::Operation;
use crate::views::health::{Alive, Health};

const TAG: &str = "operations";

/// What `runtime`'s readiness shows to strangers; it is written there, and only described here.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that runtime writes")]
struct Readiness {
    /// `ready`, `degraded`, `not_ready` or `stopping`.
    status: String,
    /// Each dependency's `status`: `ready`, `degraded` or `not_ready`.
    #[schema(value_type = Object)]
    dependencies: String,
}

pub(super) fn operations() -> Vec<Operation> {
    let ready = json!({"status": "ready", "dependencies": {"postgres": {"status": "ready"}, "rabbitmq": {"status": "ready"}}});
    let not_ready = json!({"status": "not_ready", "dependencies": {"postgres": {"status": "not_ready"}, "rabbitmq": {"status": "ready"}}});
    let healthy = json!({"status": "healthy", "database": "connected", "version": "0.1.0", "uptime_seconds": 86_400});
    let unhealthy = json!({"status": "unhealthy", "database": "disconnected", "version": "0.1.0", "uptime_seconds": 86_400});
    vec![
        Operation::new(("get", "/healthz"), "alive", TAG, "The process lives")
            .public()
            .at_root()
            .answer::<Alive>(StatusCode::OK, "It lives.", &json!({"status": "ok"})),
        Operation::new(("get", "/readyz"), "ready", TAG, "Its dependencies answer")
            .about("The database must; a broker that is away is `degraded`.")
            .public()
            .at_root()
            .answer::<Readiness>(StatusCode::OK, "It can work.", &ready)
            .answer_with::<Readiness>(
                StatusCode::SERVICE_UNAVAILABLE,
                "It can not.",
                &not_ready,
                &["Retry-After"],
            ),
        Operation::new(
            ("get", "/health"),
            "health",
            TAG,
            "Status, database, version, uptime",
        )
        .public()
        .at_root()
        .answer::<Health>(StatusCode::OK, "All is well.", &healthy)
        .answer_with::<Health>(
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is away.",
            &unhealthy,
            &["Retry-After"],
        ),
        Operation::new(("get", "/openapi.json"), "document", TAG, "This document")
            .public()
            .plain(StatusCode::OK, "OpenAPI 3.1.", Some("application/json")),
    ]
}
