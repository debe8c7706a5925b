//! Examples of answers. A test holds them against their schemas.

use serde_json::{Value, json};

const ACCOUNT: &str = "0193f0a0-6e5c-7a11-8c1d-2f6b5f0e9a01";
const SERVICE: &str = "0193f0a0-6e5c-7d0f-9d5f-6a3f0c8b7e11";

pub(super) fn registered() -> Value {
    json!({
        "id": ACCOUNT, "email": "ann@example.com", "username": "Ann", "is_verified": false,
        "created_at": "2026-01-31T12:00:00.000Z",
    })
}

pub(super) fn tokens() -> Value {
    json!({
        "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI…", "token_type": "Bearer", "expires_in": 86_400,
        "refresh_token": "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs",
    })
}

pub(super) fn sessions() -> Value {
    let session = json!({
        "id": "0193f0a0-6e5c-7e55-8c1d-2f6b5f0e9a05", "created_at": "2026-01-31T12:00:00.000Z",
        "last_used_at": "2026-01-31T18:00:00.000Z", "client_address": "198.51.100.7", "user_agent": "curl/8.5.0",
        "current": true,
    });
    json!({"sessions": [session]})
}

pub(super) fn me() -> Value {
    json!({
        "id": ACCOUNT, "email": "ann@example.com", "username": "Ann", "role": "user", "is_verified": true,
        "quota": {"services": {"limit": 3, "used": 1}}, "created_at": "2026-01-31T12:00:00.000Z",
    })
}

fn summary() -> Value {
    json!({
        "id": SERVICE, "name": "Shop", "url": "https://shop.example.com/", "interval": "1m", "is_active": true,
        "current_status": "up", "uptime_percentage": 100, "sla_percentage": 99.97,
        "last_checked_at": "2026-01-31T12:00:00.123Z",
    })
}

fn merged(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            base.extend(more);
            Value::Object(base)
        }
        (base, _) => base,
    }
}

fn certificate() -> Value {
    json!({
        "cert_valid": true, "cert_expiry": "2026-04-30T23:59:59.000Z", "cert_issuer": "CN=R11,O=Let's Encrypt,C=US",
        "cert_subject": "CN=shop.example.com", "cert_sans": ["shop.example.com"],
        "fingerprint_sha256": "5a1f2e0c9b8d7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f",
        "days_remaining": 89, "expiry_warning": false, "error": null, "errors": [],
    })
}

pub(super) fn service() -> Value {
    let more = json!({
        "timeout_seconds": 10, "expected_status": 200, "sla_target": 99.9, "ssl_expiry_days": 30, "follow_redirects": true,
        "failure_streak": 0, "avg_latency_ms": 48.2, "p95_latency_ms": 71.4, "p99_latency_ms": 120.9,
        "total_checks": 43_170, "successful_checks": 43_158, "coverage_percentage": 99.98, "ssl": certificate(),
        "next_check_at": "2026-01-31T12:01:00.000Z", "created_at": "2026-01-01T12:00:00.000Z",
        "updated_at": "2026-01-01T12:00:00.000Z",
    });
    merged(summary(), more)
}

pub(super) fn new_service() -> Value {
    let nothing_yet = json!({
        "current_status": "unknown", "uptime_percentage": null, "sla_percentage": null, "last_checked_at": null,
        "avg_latency_ms": null, "p95_latency_ms": null, "p99_latency_ms": null, "total_checks": null,
        "successful_checks": null, "coverage_percentage": null, "ssl": null,
        "next_check_at": "2026-01-31T12:00:05.000Z", "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": "2026-01-31T12:00:00.000Z",
    });
    merged(service(), nothing_yet)
}

fn pagination() -> Value {
    json!({"next_cursor": "AAZPJ0pR0QABk_Cgblx9D51fajyLfhEvKQ", "has_more": true})
}

fn last_page() -> Value {
    json!({"next_cursor": null, "has_more": false})
}

pub(super) fn services() -> Value {
    json!({"services": [summary()], "pagination": pagination()})
}

pub(super) fn probe_asked() -> Value {
    json!({"probe_id": "6ba7b810-9dad-51d1-80b4-00c04fd430c8"})
}

pub(super) fn dashboard() -> Value {
    json!({
        "counts": {"unknown": 0, "up": 1, "failing": 0, "down": 0, "paused": 0},
        "services": [summary()], "pagination": last_page(),
    })
}

pub(super) fn overview() -> Value {
    json!({
        "service_id": SERVICE, "name": "Shop", "url": "https://shop.example.com/", "current_status": "up", "window": "24h",
        "uptime_percentage": 99.93, "sla_percentage": 99.97, "sla_target": 99.9, "sla_breached": false,
        "coverage_percentage": 100,
        "checks": {"due": 1440, "judged": 1440, "failed": 1, "inconclusive": 0, "missed": 0, "excluded": 0},
        "failure_streak": 0, "avg_latency_ms": 48.2, "p50_latency_ms": 44.1, "p95_latency_ms": 71.4, "p99_latency_ms": 120.9,
        "latency_histogram": [{"le_ms": 44.1, "count": 900}, {"le_ms": 71.4, "count": 539}],
        "uptime": {"24h": 99.93, "7d": 99.98, "30d": 99.97},
        "last_checked_at": "2026-01-31T12:00:00.123Z", "ssl": certificate(), "recent_results": [failure()],
        "pagination": pagination(),
    })
}

fn failure() -> Value {
    json!({
        "id": "6ba7b810-9dad-51d1-80b4-00c04fd430c8", "kind": "slot", "outcome": "down", "voided": false, "is_success": false,
        "checked_at": "2026-01-31T11:59:00.101Z", "scheduled_at": "2026-01-31T11:59:00.000Z", "region": "default",
        "status_code": 503, "latency_ms": 52.5,
        "phases": {"dns_ms": 1.2, "connect_ms": 11.3, "tls_ms": 24.8, "request_ms": 0.1, "first_byte_ms": 15.1, "total_ms": 53},
        "hops": 1, "error_class": "status", "error_kind": "status_mismatch",
        "error_message": "expected 200, got 503 Service Unavailable",
    })
}

pub(super) fn alerts() -> Value {
    let alert = json!({
        "id": "0193f0a0-6e5c-7b22-8c1d-2f6b5f0e9a02", "alert_type": "failure_streak",
        "message": "3 failures in a row: expected 200, got 503 Service Unavailable", "status": "sent",
        "created_at": "2026-01-31T11:59:00.300Z", "sent_at": "2026-01-31T11:59:01.020Z",
    });
    json!({"service_id": SERVICE, "alerts": [alert], "pagination": last_page()})
}

pub(super) fn incidents() -> Value {
    let incident = json!({
        "id": "0193f0a0-6e5c-7c33-8c1d-2f6b5f0e9a03", "started_at": "2026-01-31T11:57:00.000Z",
        "ended_at": "2026-01-31T12:00:00.000Z", "duration_seconds": 180, "cause": "status_mismatch",
        "end_reason": "recovered", "failed_checks": 3,
    });
    json!({"incidents": [incident], "pagination": last_page()})
}

pub(super) fn latency() -> Value {
    json!({"points": [{
        "at": "2026-01-31T12:00:00.000Z", "checks": 5, "failures": 1, "avg_ms": 48.2, "p50_ms": 44.1, "p95_ms": 71.4, "p99_ms": 71.4,
    }]})
}

pub(super) fn own_events() -> Value {
    let event = json!({
        "id": "0193f0a0-6e5c-7d44-8c1d-2f6b5f0e9a04", "event": "logged_in", "created_at": "2026-01-31T12:00:00.000Z",
        "by": "user", "address": "198.51.100.7", "details": {},
    });
    json!({"events": [event], "pagination": last_page()})
}

pub(super) fn any_events() -> Value {
    let event = json!({
        "id": "0193f0a0-6e5c-7d44-8c1d-2f6b5f0e9a04", "event": "logged_in", "created_at": "2026-01-31T12:00:00.000Z",
        "user_id": ACCOUNT, "admin_id": null, "address": "198.51.100.7", "details": {},
    });
    json!({"events": [event], "pagination": last_page()})
}

fn api_key() -> Value {
    json!({
        "id": "0193f0a0-6e5c-7e66-8c1d-2f6b5f0e9a06", "name": "deploy", "scope": "write", "prefix": "pmk_3q2-7w",
        "created_at": "2026-01-31T12:00:00.000Z", "rotated_at": null, "expires_at": "2126-01-31T12:00:00.000Z",
        "last_used_at": null,
    })
}

pub(super) fn api_keys() -> Value {
    json!({"api_keys": [api_key()], "pagination": last_page()})
}

pub(super) fn new_api_key() -> Value {
    let mut key = api_key();
    if let Some(key) = key.as_object_mut() {
        let text = json!("pmk_3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs");
        key.insert("key".to_owned(), text);
    }
    key
}

pub(super) fn user() -> Value {
    json!({
        "id": ACCOUNT, "email": "ann@example.com", "username": "Ann", "role": "user", "is_verified": true,
        "is_locked": false, "locked_at": null, "quota": {"services": {"limit": 10, "own": 10, "used": 1}},
        "created_at": "2026-01-31T12:00:00.000Z",
    })
}

pub(super) fn users() -> Value {
    json!({"users": [user()], "pagination": last_page()})
}
