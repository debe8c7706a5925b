//! `ETag`, `If-Match`, `If-None-Match`: nobody overwrites what he has not seen.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, User, path_of};

async fn change(
    user: &User<'_>,
    method: Method,
    service: &Value,
    tag: &str,
    body: &Value,
) -> Answer {
    let bearer = format!("Bearer {}", user.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("if-match", tag),
    ];
    let body = if *body == Value::Null {
        String::new()
    } else {
        body.to_string()
    };
    user.app
        .send(method, &path_of(service), &headers, body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_is_refused_and_a_fresh_one_is_not() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"name": "a", "url": "https://a.example.com/"});
    let created = user.create(&body).await;
    let service = created.expect(201);
    let first = created.header("etag").to_owned();
    assert!(first.starts_with('"') && first.ends_with('"'), "{first}");
    assert_eq!(user.show(&service).await.header("etag"), first);

    let name = |name: &str| json!({"name": name});
    let changed = change(&user, Method::PUT, &service, &first, &name("b")).await;
    changed.expect(200);
    let second = changed.header("etag").to_owned();
    assert_ne!(second, first);
    for method in [Method::PUT, Method::PATCH] {
        let stale = change(&user, method, &service, &first, &name("c")).await;
        stale.problem(412, "precondition-failed");
    }
    let stale = change(&user, Method::DELETE, &service, &first, &Value::Null).await;
    stale.problem(412, "precondition-failed");
    // a weak tag never matches, one in a list does, and anything goes with a star
    let weak = format!("W/{second}");
    change(&user, Method::PUT, &service, &weak, &name("c"))
        .await
        .problem(412, "precondition-failed");
    let listed = format!("\"x\", {second}");
    let third = change(&user, Method::PUT, &service, &listed, &name("d")).await;
    third.expect(200);
    change(&user, Method::PUT, &service, "*", &name("e"))
        .await
        .expect(200);
    change(&user, Method::PUT, &service, "bare", &name("f"))
        .await
        .problem(400, "malformed-request");
    let shown = user.show(&service).await;
    assert_eq!(shown.json()["name"], "e");
    // without the header the last writer wins, as before
    user.edit(&service, &name("g")).await.expect(200);
    let last = user.show(&service).await.header("etag").to_owned();
    change(&user, Method::DELETE, &service, &last, &Value::Null)
        .await
        .expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_do_not_move_the_version_and_every_change_does() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    let tag = async || user.show(&service).await.header("etag").to_owned();
    let before = tag().await;
    app.db
        .execute("UPDATE service_state SET status = 'up'")
        .await;
    app.db
        .execute("UPDATE health SET last_checked_at = '2026-01-01T00:00:00Z'")
        .await;
    user.probe(&service).await.expect(429);
    assert_eq!(tag().await, before);
    // what changes nothing is no version either
    user.edit(&service, &json!({"name": "a"})).await.expect(200);
    assert_eq!(tag().await, before);
    let mut seen = vec![before];
    for body in [
        json!({"name": "b"}),
        json!({"sla_target": 99.5}),
        json!({"interval": "5m"}),
        json!({"is_active": false}),
        json!({"is_active": true}),
    ] {
        let answer = user.edit(&service, &body).await;
        answer.expect(200);
        let tag = answer.header("etag").to_owned();
        assert!(!seen.contains(&tag), "{body}");
        seen.push(tag);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_not_sent_again_to_who_has_it() {
    let app = TestApp::start().await;
    let path = "/api/v1/openapi.json";
    let tag = app.get(path).await.header("etag").to_owned();
    let strong = tag
        .strip_prefix("W/")
        .expect("gzip and plain bytes have the same tag");
    for known in [tag.as_str(), "*", strong, &format!("\"x\", {tag}")] {
        let answer = app
            .send(Method::GET, path, &[("if-none-match", known)], "")
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), tag);
    }
    let other = app
        .send(Method::GET, path, &[("if-none-match", "\"x\"")], "")
        .await;
    other.expect(200);
}
