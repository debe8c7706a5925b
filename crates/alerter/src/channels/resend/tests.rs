use super::*;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Attempt {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    judge(
        StatusCode::from_u16(status).unwrap(),
        &headers,
        body.as_bytes(),
    )
}

fn waits(attempt: &Attempt) -> Option<u64> {
    match attempt {
        Attempt::Deferred { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_success_is_one_even_if_its_body_is_unreadable() {
    let id = Some("49a3999c".to_owned());
    let good = answer(200, &[], r#"{"id":"49a3999c"}"#);
    assert_eq!(good, Attempt::Accepted { provider_id: id });
    let garbled = answer(200, &[], "<html>");
    assert_eq!(garbled, Attempt::Accepted { provider_id: None });
}

#[test]
fn what_may_pass_is_tried_again_and_wakes_nobody() {
    for status in [408, 409, 429, 500, 502, 503, 504] {
        let attempt = answer(status, &[], "");
        assert_eq!(attempt.outcome(), "deferred", "{status}");
        assert!(!attempt.alarms(), "{status}");
    }
}

#[test]
fn what_stays_wrong_is_refused_at_once_and_an_operator_is_told() {
    for status in [301, 400, 401, 403, 404, 405, 413, 422] {
        let attempt = answer(status, &[], r#"{"name":"x","message":"y"}"#);
        assert_eq!(attempt.outcome(), "refused", "{status}");
        assert!(attempt.alarms(), "{status}");
    }
}

#[test]
fn a_key_that_was_used_is_in_flight_or_sent_never_a_second_mail() {
    let in_flight = answer(409, &[], r#"{"name":"concurrent_idempotent_requests"}"#);
    assert_eq!(in_flight.outcome(), "deferred");
    let sent = answer(409, &[], r#"{"name":"invalid_idempotent_request"}"#);
    assert_eq!(sent.outcome(), "accepted");
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    assert_eq!(waits(&answer(429, &[("retry-after", "7")], "")), Some(7));
    let dated = [
        ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    assert_eq!(waits(&answer(503, &dated, "")), Some(60));
    assert_eq!(waits(&answer(503, &[("retry-after", "soon")], "")), None);
}

#[test]
fn a_used_up_quota_is_waited_for_and_an_operator_is_told() {
    let attempt = answer(429, &[], r#"{"name":"daily_quota_exceeded"}"#);
    assert!(attempt.alarms());
    assert_eq!(waits(&attempt), Some(900));
}
