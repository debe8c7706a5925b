//! `Idempotency-Key`: a create that is sent twice happens once.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, User};
use crate::openapi::{conforms, document};

async fn create(user: &User<'_>, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", user.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let body = body.to_string();
    user.app
        .send(Method::POST, "/api/v1/services", &headers, body)
        .await
}

fn body(host: &str) -> Value {
    json!({"name": host, "url": format!("https://{host}.example.com/")})
}

async fn services(app: &TestApp) -> i64 {
    app.db.value("SELECT count(*) FROM services").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_sent_twice_happens_once_and_answers_the_same() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let user = app.user().await;
    let first = create(&user, "one", &body("a")).await;
    first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    // another process, another spelling, the service changed and even deleted meanwhile
    let service = first.json();
    user.edit(&service, &json!({"name": "changed"}))
        .await
        .expect(200);
    let spelled = json!({"url": "https://a.example.com/", "interval": "1m", "name": "a"});
    for (at, asked) in [(&app, body("a")), (&twin, body("a")), (&twin, spelled)] {
        let again = create(&user.at(at), "one", &asked).await;
        assert_eq!(again.text, first.text);
        assert_eq!(again.status, 201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header));
        }
    }
    user.delete(&service).await.expect(204);
    assert_eq!(create(&user, "one", &body("a")).await.text, first.text);
    assert_eq!(services(&app).await, 0);
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_thing_of_one_user_for_a_day() {
    let app = TestApp::with(&[("JWT_EXPIRY_HOURS", "48")]).await;
    let (user, other) = (app.user().await, app.user().await);
    create(&user, "one", &body("a")).await.expect(201);
    create(&user, "one", &body("b"))
        .await
        .problem(422, "idempotency-key-reused");
    // it is the user's own, and a refusal is not remembered
    create(&other, "one", &body("b")).await.expect(201);
    create(&user, "two", &body("a"))
        .await
        .problem(409, "duplicate-url");
    create(&user, "two", &body("c")).await.expect(201);
    create(&user, "three", &json!({"name": ""}))
        .await
        .problem(422, "validation-failed");
    create(&user, "three", &body("d")).await.expect(201);
    assert_eq!(services(&app).await, 4);
    app.advance_seconds(24 * 3600 - 60);
    create(&user, "one", &body("b"))
        .await
        .problem(422, "idempotency-key-reused");
    app.advance_seconds(120);
    create(&user, "one", &body("a"))
        .await
        .problem(409, "duplicate-url");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_visible_ascii_of_at_most_64_characters() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for wrong in ["", "a b", "\u{e4}", &"x".repeat(65)] {
        let answer = create(&user, wrong, &body("a")).await;
        answer.problem(422, "validation-failed");
        assert_eq!(answer.wrong_fields(), ["Idempotency-Key"], "{wrong}");
    }
    assert_eq!(services(&app).await, 0);
    create(&user, &"~".repeat(64), &body("a")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_repeats_over_two_processes_make_one_service_and_all_get_it() {
    let app = TestApp::with(&[("SERVICE_QUOTA", "50")]).await;
    let twin = app.twin().await;
    let user = app.user().await;
    let tries = (0..20).map(|n| {
        let user = user.at(if n % 2 == 0 { &app } else { &twin });
        async move { create(&user, "one", &body("a")).await }
    });
    let answers = futures_util::future::join_all(tries).await;
    for answer in &answers {
        assert_eq!(answer.expect(201), answers[0].json());
    }
    let made = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!((made.count(), services(&app).await), (1, 1));
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_in_use_elsewhere_is_a_conflict_until_it_is_free() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let user = app.user().await;
    let held = app.db.db().transaction(async |conn: &mut db::Conn| {
        assert!(db::idempotency::try_lock(conn, user.id, "one").await?);
        let busy = create(&user, "one", &body("a")).await;
        busy.problem(409, "idempotency-key-in-use");
        conforms(&document, "post", "/api/v1/services", &busy);
        assert_eq!(busy.header("retry-after"), "1");
        create(&user, "two", &body("b")).await.expect(201);
        Ok::<_, db::Error>(())
    });
    held.await.unwrap();
    create(&user, "one", &body("a")).await.expect(201);
}
