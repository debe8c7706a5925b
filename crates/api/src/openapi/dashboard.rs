//! `dashboard`: what became of what is watched.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::operation::Operation;
use super::{examples, parts};
use crate::views::latency::STEPS;
use crate::views::lists::{AlertList, Dashboard, IncidentList, LatencySeries};
use crate::views::overview::Overview;

const TAG: &str = "dashboard";

pub(super) fn operations() -> Vec<Operation> {
    let steps: Vec<&str> = STEPS.into_iter().map(|step| step.0).collect();
    vec![
        Operation::new(("get", "/dashboard"), "dashboard", TAG, "Everything at a glance")
            .paged()
            .answer::<Dashboard>(StatusCode::OK, "Counts by status, and a page of services.", &examples::dashboard())
            .stored(),
        Operation::new(("get", "/dashboard/{id}"), "serviceDashboard", TAG, "One service's figures and results")
            .about("`limit` and `cursor` page through the results.")
            .query("window", WINDOW, &window())
            .paged()
            .answer::<Overview>(StatusCode::OK, "Figures of the window, and a page of results.", &examples::overview())
            .stored(),
        Operation::new(("get", "/dashboard/{id}/alerts"), "alerts", TAG, "What its owner was told")
            .paged()
            .answer::<AlertList>(StatusCode::OK, "A page of alerts, newest first.", &examples::alerts())
            .stored(),
        Operation::new(("get", "/dashboard/{id}/incidents"), "incidents", TAG, "When it was down")
            .paged()
            .answer::<IncidentList>(StatusCode::OK, "A page of incidents, newest first.", &examples::incidents())
            .stored(),
        Operation::new(("get", "/dashboard/{id}/latency"), "latency", TAG, "How long it took, step by step")
            .query("window", WINDOW, &window())
            .query(
                "step",
                "Length of a step: under an hour only for windows up to 24h, a day for windows over 30d, and at most 500 steps. \
                 Unless given, one that gives a readable number.",
                &json!({"type": "string", "enum": steps}),
            )
            .answer::<LatencySeries>(StatusCode::OK, "The steps, oldest first.", &examples::latency())
            .stored(),
    ]
}

const WINDOW: &str = "What the figures cover.";

fn window() -> Value {
    let mut schema = parts::schema_ref("Window");
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("default".to_owned(), json!("24h"));
    }
    schema
}
