//! `services`: what is watched.

use actix_web::http::StatusCode;
use serde_json::json;

use super::operation::Operation;
use super::{examples, parts};
use crate::problems;
use crate::views::lists::{ProbeAsked, ServiceList};
use crate::views::service::Full;

const TAG: &str = "services";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        list(),
        create(),
        Operation::new(("get", "/services/{id}"), "showService", TAG, "Show a service")
            .about("`ETag` names the version of what you can change; the figures move without it.")
            .answer_with::<Full>(StatusCode::OK, "The service.", &examples::service(), &["ETag"])
            .stored(),
        edit("put", "replaceService"),
        edit("patch", "changeService"),
        Operation::new(("delete", "/services/{id}"), "deleteService", TAG, "Delete a service")
            .about(
                "It is gone from every answer at once and its place is free at once; its history is removed in the background. \
                 Probes that are on their way are dropped and alert nobody.",
            )
            .conditional()
            .plain(StatusCode::NO_CONTENT, "It is gone.", None)
            .stored(),
        Operation::new(("post", "/services/{id}/probe"), "probeNow", TAG, "Probe now")
            .about(
                "Outside the schedule: the result is shown, and moves neither status nor SLA. At most one extra probe per service \
                 within `MIN_INTERVAL_SECONDS`.",
            )
            .without_fields()
            .answer::<ProbeAsked>(StatusCode::ACCEPTED, "It will be probed.", &examples::probe_asked())
            .problem(&problems::SERVICE_PAUSED)
            .problem(&problems::TOO_MANY_REQUESTS)
            .stored(),
    ]
}

fn list() -> Operation {
    Operation::new(
        ("get", "/services"),
        "listServices",
        TAG,
        "List your services",
    )
    .about("Newest first.")
    .query(
        "status",
        "Only those that are so.",
        &parts::schema_ref("Status"),
    )
    .query(
        "q",
        "Only those with this in their name or URL, without case.",
        &json!({"type": "string"}),
    )
    .paged()
    .answer::<ServiceList>(StatusCode::OK, "A page of services.", &examples::services())
    .stored()
}

fn create() -> Operation {
    Operation::new(("post", "/services"), "createService", TAG, "Watch a URL")
        .about(
            "It is probed within seconds, and from then on at its interval. A URL whose host can never be probed (a private or \
             reserved address in any spelling, a refused name or port) is refused.",
        )
        .body("NewService", &json!({"name": "Shop", "url": "https://shop.example.com/", "interval": "1m"}))
        .answer_with::<Full>(StatusCode::CREATED, "The service.", &examples::new_service(), &["Location", "ETag", "Idempotency-Replayed"])
    .leads_to(&[
        "showService",
        "changeService",
        "probeNow",
        "serviceDashboard",
        "alerts",
        "incidents",
        "latency",
        "deleteService",
    ])
        .header("Idempotency-Key")
        .problem(&problems::IDEMPOTENCY_KEY_IN_USE)
        .problem(&problems::IDEMPOTENCY_KEY_REUSED)
        .problem(&problems::URL_NOT_ALLOWED)
        .problem(&problems::DUPLICATE_URL)
        .problem(&problems::QUOTA_EXCEEDED)
        .problem(&problems::SERVICE_LIMIT)
        .stored()
}

fn edit(method: &'static str, id: &'static str) -> Operation {
    Operation::new((method, "/services/{id}"), id, TAG, "Change a service")
        .about(
            "`PUT` and `PATCH` are the same: fields that are left out stay. Interval, timeout, expected status, redirects and a \
             resume begin a new configuration 5 s later; status, streak and incident stay. A pause ends the incident silently.",
        )
        .body("ServiceChange", &json!({"name": "Shop", "interval": "30s"}))
        .answer_with::<Full>(StatusCode::OK, "The service as it is now.", &examples::service(), &["ETag"])
        .conditional()
    .problem(&problems::QUOTA_EXCEEDED)
        .stored()
}
