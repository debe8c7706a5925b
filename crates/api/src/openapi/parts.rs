//! What operations refer to: the problem's schema, headers, parameters, security schemes.

use serde_json::{Map, Value, json};

use crate::problems::{self, Kind};

/// Schemas that no view stands for: the problem, and the bodies of requests.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = super::bodies::schemas();
    schemas.insert("Problem".to_owned(), problem());
    schemas
}

fn problem() -> Value {
    let slugs: Vec<String> = problems::ALL.iter().map(|kind| type_of(kind)).collect();
    json!({
        "type": "object",
        "description": "A failure (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "enum": slugs, "description": "Which kind; the address explains it."},
            "title": {"type": "string", "description": "The kind in one line."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The answer's status."},
            "detail": {"type": "string", "description": "This occurrence in a sentence."},
            "instance": {"type": "string", "description": "The request id, as in `X-Request-Id`."},
            "errors": {
                "type": "array",
                "description": "Every field that was wrong; only where fields were.",
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": {
                        "field": {"type": "string", "description": "Its name in the request."},
                        "message": {"type": "string", "description": "What is wrong, as a clause that follows the name."},
                    },
                },
            },
        },
    })
}

/// What stands in `type`.
pub(super) fn type_of(kind: &Kind) -> String {
    format!("/problems/{}", kind.slug)
}

/// What answers say that are counted against a limit.
pub(super) const LIMITS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

/// A header that an answer may lack: its name in the components.
fn optional(name: &str) -> String {
    format!("Optional-{name}")
}

/// Which those are, and when they are there.
const OPTIONAL: [(&str, &str); 4] = [
    ("RateLimit-Limit", COUNTED),
    ("RateLimit-Remaining", COUNTED),
    ("RateLimit-Reset", COUNTED),
    ("Retry-After", "Only with `idempotency-key-in-use`."),
];
const COUNTED: &str = "Only where the request was counted.";

/// The header's name in the document's components, and what it says.
const HEADERS: [(&str, &str, &str, &str); 9] = [
    (
        "X-Request-Id",
        "string",
        "By which the request is found in the logs; the client's own where it is a sane token.",
        "0193f0a0-6e5c-4d0f-9d5f-6a3f0c8b7e11",
    ),
    (
        "Location",
        "string",
        "Where the new resource is.",
        "/api/v1/services/0193f0a0-6e5c-7d0f-9d5f-6a3f0c8b7e11",
    ),
    (
        "ETag",
        "string",
        "The version: of what its owner can change, for `If-Match`; of this document, for `If-None-Match`.",
        "\"0193f0a06e5c7d0f9d5f6a3f0c8b7e11-649fdd5b8b400\"",
    ),
    (
        "Idempotency-Replayed",
        "string",
        "`true` where this answer was given before, to the same `Idempotency-Key`; else absent.",
        "true",
    ),
    (
        "Retry-After",
        "integer",
        "Seconds after which it will pass.",
        "2",
    ),
    (
        "RateLimit-Limit",
        "integer",
        "Requests of a window: of the nearer limit, where two count.",
        "600",
    ),
    (
        "RateLimit-Remaining",
        "integer",
        "Those left, as far as this process knows.",
        "587",
    ),
    (
        "RateLimit-Reset",
        "integer",
        "Seconds until the next window.",
        "42",
    ),
    ("WWW-Authenticate", "string", "Always `Bearer`.", "Bearer"),
];

/// Components for headers.
pub(super) fn headers() -> Value {
    let header = |(name, kind, about, example): &(&str, &str, &str, &str)| {
        let example = match *kind {
            "integer" => json!(example.parse::<u64>().unwrap_or_default()),
            _ => json!(example),
        };
        let always = *name != "Idempotency-Replayed";
        let schema = json!({"type": kind});
        let header =
            json!({"description": about, "required": always, "schema": schema, "example": example});
        ((*name).to_owned(), header)
    };
    let mut all: Map<String, Value> = HEADERS.iter().map(header).collect();
    for (name, when) in OPTIONAL {
        let mut header = all.get(name).cloned().unwrap_or_default();
        if let Some(header) = header.as_object_mut() {
            header.insert("required".to_owned(), json!(false));
            let about = header.get("description").and_then(Value::as_str);
            let about = format!("{} {when}", about.unwrap_or_default());
            header.insert("description".to_owned(), json!(about));
        }
        all.insert(optional(name), header);
    }
    Value::Object(all)
}

/// A reference to a schema.
pub(super) fn schema_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A reference to a header.
pub(super) fn header_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// Components for parameters.
pub(super) fn parameters() -> Value {
    json!({
        "limit": {
            "name": "limit", "in": "query", "required": false,
            "description": "Rows on the page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        },
        "If-Match": {
            "name": "If-Match", "in": "header", "required": false,
            "description": "Change it only if it is still one of these versions: `ETag`s, or `*` for any.",
            "schema": {"type": "string", "minLength": 1, "pattern": "^(\\*|\"[!#-~]*\"(, \"[!#-~]*\"){0,15})$"},
        },
        "Idempotency-Key": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Makes the request happen once, however often it is sent within 24 h.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]{1,64}$"},
        },
        "If-None-Match": {
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "Answer 304 if it is still this version.",
            "schema": {"type": "string", "minLength": 1, "pattern": "^(\\*|\"[!#-~]*\")$"},
        },
        "cursor": {
            "name": "cursor", "in": "query", "required": false,
            "description": "`next_cursor` of the page before, as it was given.",
            "schema": {"type": "string", "minLength": 1},
        },
    })
}

/// An example of every kind of problem.
pub(super) fn examples() -> Value {
    let example = |kind: &&Kind| {
        let mut value = json!({
            "type": type_of(kind),
            "title": kind.title,
            "status": kind.status.as_u16(),
            "detail": kind.meaning,
            "instance": "0193f0a0-6e5c-4d0f-9d5f-6a3f0c8b7e11",
        });
        let field = match kind.slug {
            "validation-failed" => Some(("interval", "must be one of 10s 15s 20s 30s 1m 2m 3m 5m")),
            "url-not-allowed" => Some(("url", "names an address that is not public")),
            _ => None,
        };
        if let (Some((field, message)), Some(object)) = (field, value.as_object_mut()) {
            object.insert("detail".to_owned(), json!(format!("{field} {message}.")));
            object.insert(
                "errors".to_owned(),
                json!([{"field": field, "message": message}]),
            );
        }
        (
            kind.slug.to_owned(),
            json!({"summary": kind.title, "value": value}),
        )
    };
    Value::Object(problems::ALL.iter().map(example).collect())
}

/// One answer a kind of problem, for operations that can fail with a status in one way only.
pub(super) fn responses() -> Value {
    let response = |kind: &&Kind| (kind.slug.to_owned(), failure(&[kind]));
    Value::Object(problems::ALL.iter().map(response).collect())
}

/// The answer of a status that stands for these kinds of problems.
pub(super) fn failure(kinds: &[&Kind]) -> Value {
    let mut headers = Map::new();
    let mut add = |name: &str, component: &str| {
        headers.insert(name.to_owned(), header_ref(component));
    };
    add("X-Request-Id", "X-Request-Id");
    let status = kinds.first().map_or(0, |kind| kind.status.as_u16());
    if status == 401 {
        add("WWW-Authenticate", "WWW-Authenticate");
    }
    if status == 429 || status == 503 {
        add("Retry-After", "Retry-After");
    } else if kinds.contains(&&problems::IDEMPOTENCY_KEY_IN_USE) {
        add("Retry-After", &optional("Retry-After"));
    }
    for name in LIMITS {
        match status {
            429 => add(name, name),
            // Not promised: a request may fail before it is counted, and what is asked without a token is not counted
            // everywhere.
            _ => add(name, &optional(name)),
        }
    }
    let description: Vec<String> = kinds
        .iter()
        .map(|kind| format!("`{}`: {}", kind.slug, kind.title))
        .collect();
    let types: Vec<String> = kinds.iter().map(|kind| type_of(kind)).collect();
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| {
            (
                kind.slug.to_owned(),
                json!({"$ref": format!("#/components/examples/{}", kind.slug)}),
            )
        })
        .collect();
    json!({
        "description": format!("{}.", description.join(". ")),
        "headers": headers,
        "content": {"application/problem+json": {
            "schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"type": "object", "properties": {"type": {"enum": types}}},
            ]},
            "examples": examples,
        }},
    })
}

/// How a request says who sends it.
pub(super) fn security_schemes() -> Value {
    json!({
        "accessToken": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The `access_token` of a login or refresh.",
        },
        "apiKey": {
            "type": "http", "scheme": "bearer", "bearerFormat": "pmk_…",
            "description": "A key of `POST /api-keys`, with the scope that an operation names; `write` may read, too.",
        },
    })
}
