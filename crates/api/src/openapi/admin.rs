//! `admin`: what admins do.

use actix_web::http::StatusCode;
use serde_json::json;

use super::operation::Operation;
use super::{examples, parts};
use crate::views::audit::AnyEvents;

const TAG: &str = "admin";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            ("get", "/admin/audit"),
            "adminAudit",
            TAG,
            "What happened to accounts",
        )
        .for_admins()
        .query(
            "user_id",
            "Only events of this account.",
            &json!({"type": "string", "format": "uuid"}),
        )
        .query(
            "event",
            "Only events of this kind.",
            &parts::schema_ref("AuditEvent"),
        )
        .paged()
        .answer::<AnyEvents>(
            StatusCode::OK,
            "A page of events, newest first.",
            &examples::any_events(),
        )
        .stored(),
    ]
}
