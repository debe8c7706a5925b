//! `audit`: what happened to one's own account.

use actix_web::http::StatusCode;

use super::operation::Operation;
use super::{examples, parts};
use crate::views::audit::OwnEvents;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            ("get", "/audit"),
            "audit",
            "audit",
            "What happened to your account",
        )
        .query(
            "event",
            "Only events of this kind.",
            &parts::schema_ref("AuditEvent"),
        )
        .paged()
        .answer::<OwnEvents>(
            StatusCode::OK,
            "A page of events, newest first.",
            &examples::own_events(),
        )
        .stored(),
    ]
}
