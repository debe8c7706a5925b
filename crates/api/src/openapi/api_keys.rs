//! `api-keys`: keys for machines.

use actix_web::http::StatusCode;
use serde_json::json;

use super::examples;
use super::operation::Operation;
use crate::problems;
use crate::views::api_key::{KeyList, NewApiKey};

const TAG: &str = "api-keys";

pub(super) fn operations() -> Vec<Operation> {
    let body =
        json!({"name": "deploy", "scope": "write", "expires_at": "2126-01-31T12:00:00.000Z"});
    vec![
        Operation::new(("get", "/api-keys"), "apiKeys", TAG, "Your keys")
            .paged()
            .answer::<KeyList>(StatusCode::OK, "A page of keys, newest first.", &examples::api_keys())
            .stored(),
        Operation::new(("post", "/api-keys"), "createApiKey", TAG, "Make a key")
            .about(
                "This answer is the only one that shows the key. It is sent as `Authorization: Bearer pmk_…` and opens services and \
                 dashboards. It ends with the account, and does not hold while the account is locked; a new password or a \
                 logout everywhere does not end it.",
            )
            .body("WantedApiKey", &body)
            .answer::<NewApiKey>(StatusCode::CREATED, "The key.", &examples::new_api_key())
            .problem(&problems::API_KEY_LIMIT)
            .stored(),
        Operation::new(("post", "/api-keys/{id}/rotate"), "rotateApiKey", TAG, "Replace a key")
            .about("Another secret under the same id, name, scope and end. The old one ends at once. A key that has expired stays so (409): make a new one.")
            .answer::<NewApiKey>(StatusCode::OK, "The new key.", &examples::new_api_key())
            .problem(&problems::API_KEY_EXPIRED)
            .stored(),
        Operation::new(("delete", "/api-keys/{id}"), "revokeApiKey", TAG, "Take a key away")
            .about("It ends at once.")
            .plain(StatusCode::NO_CONTENT, "It is gone.", None)
            .stored(),
    ]
}
