//! `operations`: how the process is, and the document itself.

use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::ToSchema;

use super::operation::Operation;
use crate::problems;
use crate::views::health::{Alive, Health};

const TAG: &str = "operations";
const HTML: &str = "text/html; charset=utf-8";

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
    let mut all = health();
    all.extend(pages());
    all
}

/// Whether the process lives and can work.
fn health() -> Vec<Operation> {
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
    ]
}

/// The document, and what is written from it.
fn pages() -> Vec<Operation> {
    let slugs: Vec<&str> = problems::ALL.iter().map(|kind| kind.slug).collect();
    vec![
        document(),
        Operation::new(("get", "/docs"), "docs", TAG, "This document as a page")
            .public()
            .at_root()
            .plain(StatusCode::OK, "The reference.", Some(HTML)),
        Operation::new(
            ("get", "/docs/style.css"),
            "docsStyle",
            TAG,
            "How the pages look",
        )
        .public()
        .at_root()
        .plain(
            StatusCode::OK,
            "A stylesheet.",
            Some("text/css; charset=utf-8"),
        ),
        Operation::new(
            ("get", "/problems"),
            "problems",
            TAG,
            "Every kind of problem",
        )
        .public()
        .at_root()
        .plain(StatusCode::OK, "A page.", Some(HTML)),
        Operation::new(
            ("get", "/problems/{slug}"),
            "problem",
            TAG,
            "One kind of problem, explained",
        )
        .about("Where `type` of a problem leads.")
        .public()
        .at_root()
        .part(
            "slug",
            "The last part of `type`.",
            &json!({"type": "string", "enum": slugs}),
        )
        .plain(StatusCode::OK, "A page.", Some(HTML)),
    ]
}

fn document() -> Operation {
    Operation::new(("get", "/openapi.json"), "document", TAG, "This document")
        .public()
        .reads_query()
        .header("If-None-Match")
        .plain_with(
            StatusCode::OK,
            "OpenAPI 3.1.",
            Some("application/json"),
            &["ETag"],
        )
        .plain_with(
            StatusCode::NOT_MODIFIED,
            "It is still this version.",
            None,
            &["ETag"],
        )
}
