//! The contract as an OpenAPI 3.1 document, made from the code.
//!
//! Schemas of answers come from the views themselves (utoipa's derive); operations stand in one file a tag, written
//! with [`operation::Operation`], which adds what all have in common: problems, headers, limits. What is served, what
//! stands in `docs/openapi.json` and what `/docs` shows is this one document.

mod admin;
mod api_keys;
mod audit;
mod auth;
mod bodies;
mod dashboard;
mod examples;
mod operation;
mod operations;
mod parts;
mod services;
pub(crate) mod values;

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::etag;
use crate::handlers::NoQuery;
use crate::reply::{Answer, Reply};
use operation::Operation;

/// Written once, served from then on.
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// What stands above everything.
const ABOUT: &str = include_str!("openapi/about.md");

/// The tags, in the order in which people read them.
const TAGS: [(&str, &str); 7] = [
    ("auth", "Accounts and tokens."),
    (
        "services",
        "What is watched. A service is one monitored endpoint.",
    ),
    (
        "dashboard",
        "What became of it: figures, results, alerts, incidents, latencies.",
    ),
    ("api-keys", "Keys for machines."),
    (
        "audit",
        "What happened to an account: logins, changes of password, keys.",
    ),
    ("admin", "For the installation's admins."),
    ("operations", "How the process is, and this document."),
];

/// Its version: what it says. Weak, since a compressed answer is other bytes of the same.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(TEXT.as_bytes());
    let short = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("W/\"{}\"", short.collect::<String>())
});

/// `GET /openapi.json`
///
/// # Errors
/// 400, 422 for anything in its query.
pub(crate) async fn serve(request: HttpRequest, _query: NoQuery) -> Answer {
    let reply = if etag::is_known(&request, &TAG) {
        Reply::empty(StatusCode::NOT_MODIFIED).with(header::VARY, "accept-encoding")?
    } else {
        Reply::bytes(StatusCode::OK, "application/json", TEXT.as_bytes().to_vec())
    };
    reply
        .with(header::ETAG, TAG.as_str())?
        .with(header::CACHE_CONTROL, "public, no-cache")
}

/// The whole document.
pub(crate) fn document() -> Value {
    let operations = all();
    let mut schemas = parts::schemas();
    let mut paths: Map<String, Value> = Map::new();
    for operation in &operations {
        schemas.extend(operation.schemas());
        let item = paths.entry(operation.path()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(operation.method().to_owned(), operation.to_json());
        }
    }
    let tags: Vec<Value> = TAGS
        .iter()
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pulsemon",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A multi-tenant uptime monitor.",
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The process that serves this document."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": parts::headers(),
            "parameters": parts::parameters(),
            "examples": parts::examples(),
            "responses": parts::responses(),
            "securitySchemes": parts::security_schemes(),
        },
    })
}

/// Every operation, in the order in which people read them.
fn all() -> Vec<Operation> {
    let mut all = auth::operations();
    all.extend(services::operations());
    all.extend(dashboard::operations());
    all.extend(api_keys::operations());
    all.extend(audit::operations());
    all.extend(admin::operations());
    all.extend(operations::operations());
    all
}

#[cfg(test)]
mod tests;
