//! Schemas of the bodies that requests carry. What reads them is written by hand (`input`), so a test drives each of
//! these against it.

use models::interval::Interval;
use models::service::{ServiceName, ServiceUrl};
use serde_json::{Map, Value, json};

use crate::auth::KeyScope;

/// All of them, by name.
pub(super) fn schemas() -> Map<String, Value> {
    [
        ("NewAccount", new_account()),
        ("Credentials", credentials()),
        ("RefreshToken", refresh_token()),
        ("PasswordChange", password_change()),
        ("WantedApiKey", wanted_api_key()),
        ("UserQuotaChange", user_quota_change()),
        ("Address", address()),
        ("LinkToken", link_token()),
        ("PasswordReset", password_reset()),
        ("AddressChange", address_change()),
        ("Confirmation", confirmation()),
        ("NewService", new_service()),
        ("ServiceChange", service_change()),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

/// A name that a tenant gives: no control and no direction-changing characters.
const NAME: &str = r"^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+$";
/// Letters, digits, and what names of people and machines have between them.
const USERNAME: &str = r"^[\p{L}\p{Nd} ._+'@-]*[\p{L}\p{Nd}._+'@-][\p{L}\p{Nd} ._+'@-]*$";

/// An object whose other names are refused.
fn object(about: &str, required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "description": about,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// An e-mail address.
fn email() -> Value {
    json!({
        "type": "string", "format": "email", "maxLength": 254,
        "description": "Trimmed, and compared without case.",
        "examples": ["ann@example.com"],
    })
}

/// A password to set.
fn new_password() -> Value {
    json!({
        "type": "string", "minLength": 8, "maxLength": 72, "format": "password",
        "description": "8 characters to 72 bytes in UTF-8.",
        "examples": ["correct horse battery"],
    })
}

fn new_account() -> Value {
    object(
        "An account to open.",
        &["email", "password"],
        &json!({
            "email": email(),
            "password": new_password(),
            "username": {
                "type": ["string", "null"], "minLength": 1, "maxLength": 64, "pattern": USERNAME,
                "description": "Letters that are seen, digits, spaces and . _ - + ' @; compared without case, width and style of letters, and repeated spaces.",
                "examples": ["Ann"],
            },
        }),
    )
}

fn credentials() -> Value {
    object(
        "Who logs in.",
        &["email", "password"],
        &json!({
            "email": {"type": "string", "description": "The account's address.", "examples": ["ann@example.com"]},
            "password": password("Its password."),
        }),
    )
}

/// A password to compare.
fn password(about: &str) -> Value {
    json!({
        "type": "string", "format": "password", "description": about,
        "examples": ["correct horse battery"],
    })
}

fn password_change() -> Value {
    object(
        "A new password.",
        &["current_password", "new_password"],
        &json!({
            "current_password": password("The one that holds now."),
            "new_password": new_password(),
        }),
    )
}

fn address() -> Value {
    object(
        "Where a mail is wanted.",
        &["email"],
        &json!({"email": email()}),
    )
}

/// The token of a mailed link.
fn mailed() -> Value {
    json!({
        "type": "string", "description": "As it stands in the link.",
        "examples": ["q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"],
    })
}

fn link_token() -> Value {
    object(
        "The token of a mailed link.",
        &["token"],
        &json!({"token": mailed()}),
    )
}

fn password_reset() -> Value {
    object(
        "A new password in the place of a forgotten one.",
        &["token", "new_password"],
        &json!({"token": mailed(), "new_password": new_password()}),
    )
}

fn address_change() -> Value {
    object(
        "Where the account is to move.",
        &["password", "email"],
        &json!({"password": password("The account's."), "email": email()}),
    )
}

fn confirmation() -> Value {
    object(
        "That it is really wanted.",
        &["password"],
        &json!({"password": password("The account's.")}),
    )
}

fn refresh_token() -> Value {
    object(
        "A refresh token.",
        &["refresh_token"],
        &json!({
            "refresh_token": {
                "type": "string", "description": "As it was given.",
                "examples": ["3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"],
            },
        }),
    )
}

fn wanted_api_key() -> Value {
    object(
        "A key to make.",
        &["name", "scope"],
        &json!({
            "name": {
                "type": "string", "minLength": 1, "maxLength": ServiceName::MAX_CHARS, "pattern": NAME,
                "description": "What it is for. Trimmed; no control characters.", "examples": ["deploy"],
            },
            "scope": {
                "type": "string", "enum": KeyScope::ALL.map(KeyScope::as_str),
                "description": "`read` opens what shows, `write` that and what changes.",
            },
            "expires_at": {
                "type": ["string", "null"], "format": "date-time", "minLength": 20,
                "description": "When it ends, in RFC 3339; it lies in the future. `null`, or left out: never.",
                "examples": ["2126-01-31T12:00:00.000Z"],
            },
        }),
    )
}

fn user_quota_change() -> Value {
    object(
        "What an account may have.",
        &["services"],
        &json!({
            "services": {
                "type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000,
                "description": "Active services. `null`: as many as everybody. What is beyond a lower number stays.",
                "examples": [10],
            },
        }),
    )
}

/// What a service has that its owner can change.
fn settings() -> Map<String, Value> {
    let intervals: Vec<&str> = Interval::ALL.into_iter().map(Interval::as_str).collect();
    let fields = json!({
        "name": {
            "type": "string", "minLength": 1, "maxLength": ServiceName::MAX_CHARS, "pattern": NAME,
            "description": "Trimmed; no control characters.", "examples": ["Shop"],
        },
        "interval": {
            "type": "string", "enum": intervals, "default": "1m",
            "description": "How often it is probed. Not below `MIN_INTERVAL_SECONDS` (10 s unless set).",
        },
        "timeout_seconds": {
            "type": "integer", "minimum": 1, "maximum": 60,
            "description": "One deadline around a probe; not over the interval. The smaller of 10 and the interval unless given.",
        },
        "expected_status": {
            "type": "integer", "minimum": 100, "maximum": 599, "default": 200,
            "description": "The status that counts as up. With a 3xx no redirect is followed.",
        },
        "sla_target": {
            "type": "number", "minimum": 0.01, "maximum": 100, "multipleOf": 0.01, "default": 99.9,
            "description": "In percent, with at most two decimals.",
        },
        "ssl_expiry_days": {
            "type": "integer", "minimum": 1, "maximum": 90, "default": 30,
            "description": "How many days ahead the warnings about its certificate begin.",
        },
        "follow_redirects": {
            "type": "boolean", "default": true, "description": "Follow redirects, at most 10.",
        },
        "is_active": {
            "type": "boolean", "default": true, "description": "`false` pauses; a paused service holds no place of the quota.",
        },
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn new_service() -> Value {
    let mut fields = settings();
    let url = json!({
        "type": "string", "format": "uri", "minLength": 1, "maxLength": ServiceUrl::MAX_BYTES,
        "description": "http or https, without user info; a fragment is dropped, an international name becomes punycode. \
                        It never changes: delete the service and create another instead.",
        "examples": ["https://shop.example.com/"],
    });
    fields.insert("url".to_owned(), url);
    object(
        "A service to watch.",
        &["name", "url"],
        &Value::Object(fields),
    )
}

fn service_change() -> Value {
    let mut fields = settings();
    for field in fields.values_mut().filter_map(Value::as_object_mut) {
        field.remove("default"); // what is left out stays
    }
    let url = json!({
        "type": "string", "description": "May be repeated, and must be the one that is there.",
        "examples": ["https://shop.example.com/"],
    });
    fields.insert("url".to_owned(), url);
    object(
        "What is to be changed; what is left out stays.",
        &[],
        &Value::Object(fields),
    )
}
