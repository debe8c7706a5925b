//! Bad input to `POST /services`: every field wrong in turn, and all at once.

use serde_json::{Value, json};

use crate::app::TestApp;

fn good() -> Value {
    json!({
        "name": "shop", "url": "https://shop.example.com/", "interval": "1m", "timeout_seconds": 10,
        "expected_status": 200, "sla_target": 99.9, "ssl_expiry_days": 30, "follow_redirects": true,
        "is_active": true,
    })
}

fn wrong_values() -> Vec<(&'static str, Vec<Value>)> {
    let long_url = format!("https://a.example.com/{}", "x".repeat(2048));
    vec![
        (
            "name",
            vec![
                json!(""),
                json!("  "),
                json!("x".repeat(256)),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!(1),
                json!(null),
            ],
        ),
        (
            "url",
            vec![
                json!(""),
                json!("example.com"),
                json!("ftp://a.example/"),
                json!("//a.example/"),
                json!("http:///"),
                json!("http://u:p@a.example/"),
                json!("http://a b.example/"),
                json!("http://a.example:0/"),
                json!("http://a.example:65536/"),
                json!("http:\\\\a.example/"),
                json!(long_url),
                json!(7),
                json!(null),
            ],
        ),
        (
            "interval",
            vec![
                json!("7s"),
                json!("5s"),
                json!(60),
                json!("1M"),
                json!(null),
            ],
        ),
        (
            "timeout_seconds",
            vec![
                json!(0),
                json!(61),
                json!(1.5),
                json!("10"),
                json!(-1),
                json!(null),
            ],
        ),
        (
            "expected_status",
            vec![json!(99), json!(600), json!("200"), json!(200.5)],
        ),
        (
            "sla_target",
            vec![
                json!(0),
                json!(100.01),
                json!(99.999),
                json!("99"),
                json!(-1),
            ],
        ),
        (
            "ssl_expiry_days",
            vec![json!(0), json!(91), json!("30"), json!(true)],
        ),
        (
            "follow_redirects",
            vec![json!("yes"), json!(1), json!(null)],
        ),
        ("is_active", vec![json!("true"), json!(0), json!(null)]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_wrong_in_turn_is_named_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for (field, values) in wrong_values() {
        for value in values {
            let mut body = good();
            body[field] = value.clone();
            let answer = user.create(&body).await;
            answer.problem(422, "validation-failed");
            assert_eq!(answer.wrong_fields(), [field], "{value}");
        }
    }
    for field in ["name", "url"] {
        let mut body = good();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(user.create(&body).await.wrong_fields(), [field]);
    }
    for field in [
        "id",
        "user_id",
        "role",
        "total_checks",
        "current_status",
        "regions",
    ] {
        let mut body = good();
        body[field] = json!(1);
        assert_eq!(user.create(&body).await.wrong_fields(), [field]);
    }
    assert_eq!(
        app.db.value::<i64>("SELECT count(*) FROM services").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_wrong_are_named_in_one_answer() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = r#"{"name": "", "url": 7, "interval": "7s", "timeout_seconds": "x", "expected_status": 99,
        "sla_target": 0, "ssl_expiry_days": 91, "follow_redirects": 1, "is_active": true, "is_active": false, "tpyo": 1}"#;
    let answer = user.send(http::Method::POST, "/services", body).await;
    answer.problem(422, "validation-failed");
    assert_eq!(
        answer.wrong_fields(),
        [
            "name",
            "url",
            "interval",
            "timeout_seconds",
            "expected_status",
            "sla_target",
            "ssl_expiry_days",
            "follow_redirects",
            "is_active",
            "tpyo"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_longer_than_the_interval_names_both_and_defaults_fit() {
    let app = TestApp::with(&[("MIN_INTERVAL_SECONDS", "1")]).await;
    let user = app.user().await;
    let body = json!({"name": "a", "url": "https://a.example.com/", "interval": "5s", "timeout_seconds": 6});
    assert_eq!(
        user.create(&body).await.wrong_fields(),
        ["timeout_seconds", "interval"]
    );
    let body = json!({"name": "a", "url": "https://a.example.com/", "interval": "2s"});
    assert_eq!(user.create(&body).await.expect(201)["timeout_seconds"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_probed_is_refused_in_every_spelling() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for url in [
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://198.18.0.1/",
        "http://203.0.113.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://localhost/",
        "http://db/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "https://a.example.com:25/",
        "https://a.example.com:5432/",
    ] {
        let answer = user.create(&json!({"name": "x", "url": url})).await;
        answer.problem(422, "url-not-allowed");
        assert_eq!(answer.wrong_fields(), ["url"], "{url}");
    }
    for url in [
        "http://172.15.255.255/",
        "http://172.32.0.0/",
        "http://100.63.255.255/",
        "http://100.128.0.0/",
        "http://223.255.255.255/",
        "http://[2606:4700:4700::1111]/",
    ] {
        let body = json!({"name": "x", "url": url, "is_active": false});
        user.create(&body).await.expect(201);
    }
    // with another mistake beside it, it is one of several
    let answer = user
        .create(&json!({"name": "", "url": "http://127.0.0.1/"}))
        .await;
    answer.problem(422, "validation-failed");
    assert_eq!(answer.wrong_fields(), ["name", "url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_opens_what_he_names_and_no_more() {
    let app = TestApp::with(&[("PROBE_ALLOW_CIDRS", "127.0.0.1:5432")]).await;
    let user = app.user().await;
    let create = async |url: &str| user.create(&json!({"name": "x", "url": url})).await;
    create("http://127.0.0.1:5432/").await.expect(201);
    create("http://localhost:5432/").await.expect(201);
    create("http://127.0.0.1:8000/")
        .await
        .problem(422, "url-not-allowed");
    create("http://localhost:8000/")
        .await
        .problem(422, "url-not-allowed");
    create("http://127.0.0.2:5432/")
        .await
        .problem(422, "url-not-allowed");
    create("http://metadata:5432/")
        .await
        .problem(422, "url-not-allowed");
}
