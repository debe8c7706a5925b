//! `admin`: what admins do.

use actix_web::http::StatusCode;
use serde_json::json;

use super::operation::Operation;
use super::{examples, parts};
use crate::problems;
use crate::views::audit::AnyEvents;
use crate::views::user::{UserList, UserView};

const TAG: &str = "admin";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        log(),
        Operation::new(("get", "/admin/users"), "users", TAG, "Accounts")
            .for_admins()
            .query(
                "q",
                "Only accounts with this in their address or user name, without case.",
                &json!({"type": "string"}),
            )
            .paged()
            .answer::<UserList>(
                StatusCode::OK,
                "A page of accounts, newest first.",
                &examples::users(),
            )
            .stored(),
        one(("get", "/admin/users/{id}"), "user", "An account"),
        one(
            ("put", "/admin/users/{id}/quota"),
            "setQuota",
            "Set how many services an account may have",
        )
        .body("UserQuotaChange", &json!({"services": 10})),
        one(("post", "/admin/users/{id}/lock"), "lock", "Lock an account")
            .about(
                "Every token ends at once, no key holds, and nobody logs in. Its services go on: they are probed, and \
                 their alerts are sent. An account that is locked already stays so.",
            )
            .without_fields()
            .problem(&problems::OWN_ACCOUNT)
            .problem(&problems::LAST_ADMIN),
        one(
            ("post", "/admin/users/{id}/unlock"),
            "unlock",
            "Open a locked account again",
        )
        .about("Its keys hold again; its old tokens stay ended.")
        .without_fields(),
    ]
}

fn log() -> Operation {
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
    .stored()
}

/// What ends with showing an account.
fn one(route: (&'static str, &'static str), id: &'static str, summary: &'static str) -> Operation {
    Operation::new(route, id, TAG, summary)
        .for_admins()
        .answer::<UserView>(StatusCode::OK, "The account.", &examples::user())
        .stored()
}
