//! The manners of the port: problems, headers, limits, CORS, health.

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{Answer, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_the_port_is_a_problem() {
    let app = TestApp::start().await;
    let json = ("content-type", "application/json");
    app.get("/nowhere").await.problem(404, "not-found");
    app.get("/api/v1/nowhere").await.problem(404, "not-found");
    app.get("/api/v2/services").await.problem(404, "not-found");
    let wrong_method = app.send(Method::DELETE, "/api/v1/services", &[], "").await;
    wrong_method.problem(405, "method-not-allowed");
    assert_eq!(wrong_method.header("allow"), "GET, HEAD, POST, OPTIONS");
    let post = async |headers: &[(&str, &str)], body: String| {
        app.send(Method::POST, "/auth/login", headers, body).await
    };
    post(&[], "{}".into())
        .await
        .problem(415, "unsupported-media-type");
    post(&[("content-type", "text/plain")], "{}".into())
        .await
        .problem(415, "unsupported-media-type");
    let latin = ("content-type", "application/json; charset=latin1");
    post(&[latin], "{}".into())
        .await
        .problem(415, "unsupported-media-type");
    let zipped = ("content-encoding", "gzip");
    post(&[json, zipped], "{}".into())
        .await
        .problem(415, "unsupported-media-type");
    post(&[json], "x".repeat(64 * 1024 + 1))
        .await
        .problem(413, "body-too-large");
    for malformed in ["", "{", "{} x", &"[".repeat(100), "\u{0}"] {
        post(&[json], malformed.to_owned())
            .await
            .problem(400, "malformed-request");
    }
    for wrong in ["[]", "7", "\"x\"", "null"] {
        let answer = post(&[json], wrong.to_owned()).await;
        answer.problem(422, "validation-failed");
        assert_eq!(answer.wrong_fields(), ["body"]);
    }
    let utf8 = ("content-type", "application/json; charset=UTF-8");
    assert_eq!(
        post(&[utf8], "{}".into()).await.wrong_fields(),
        ["email", "password"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sane_request_id_is_taken_over_and_another_is_not() {
    let app = TestApp::start().await;
    let sent = async |id: &str| {
        let answer = app
            .send(Method::GET, "/nowhere", &[("x-request-id", id)], "")
            .await;
        answer.problem(404, "not-found");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(sent("abc-123").await, "abc-123");
    for insane in ["a b", "a_b", "\"", &"x".repeat(65)] {
        let id = sent(insane).await;
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for answer in [
        user.get("/services").await,
        app.get("/nowhere").await,
        app.get("/healthz").await,
    ] {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_in_from_listed_origins_only() {
    let app = TestApp::with(&[(
        "ALLOWED_ORIGINS",
        "https://app.example.com, http://localhost:3000",
    )])
    .await;
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            (
                "access-control-request-headers",
                "authorization,content-type,if-match,idempotency-key",
            ),
        ];
        app.send(Method::OPTIONS, "/api/v1/services", &headers, "")
            .await
    };
    let allowed = preflight("https://app.example.com").await;
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert!(
        allowed
            .header("access-control-allow-methods")
            .contains("PUT")
    );
    let refused = preflight("https://evil.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    // a failure reaches the script too
    let origin = [("origin", "http://localhost:3000")];
    let problem = app.send(Method::GET, "/api/v1/services", &origin, "").await;
    problem.problem(401, "unauthorized");
    assert_eq!(
        problem.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_who_asks_and_secrets_and_small_ones_never() {
    let app = TestApp::with(&[("SERVICE_QUOTA", "5")]).await;
    let user = app.user().await;
    for name in ["a", "b", "c", "d", "e"] {
        user.service(name).await;
    }
    let bearer = format!("Bearer {}", user.token);
    let encoding = async |method: Method, path: &str, body: String| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept-encoding", "gzip"),
        ];
        let answer = app.send(method, path, &headers, body).await;
        assert!(answer.status < 300, "{}", answer.status);
        answer.header("content-encoding").to_owned()
    };
    let nothing = String::new();
    assert_eq!(
        encoding(Method::GET, "/services", nothing.clone()).await,
        "gzip"
    );
    assert_eq!(
        encoding(Method::GET, "/docs", nothing.clone()).await,
        "gzip"
    );
    assert_eq!(encoding(Method::GET, "/auth/me", nothing.clone()).await, "");
    assert_eq!(encoding(Method::GET, "/services?q=none", nothing).await, "");
    // A secret's answer that would be worth it: what is compressed tells of itself by its length.
    let key = json!({"name": "\u{1f511}".repeat(255), "scope": "read"}).to_string();
    assert_eq!(encoding(Method::POST, "/api-keys", key).await, "");
    assert_eq!(user.get("/services").await.header("content-encoding"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_come_compressed_says_so_however_it_comes() {
    let app = TestApp::start().await;
    let told = |answer: &Answer| {
        let all = answer.headers.get_all("vary").iter();
        let all: Vec<String> = all
            .flat_map(|value| value.to_str().unwrap().split(','))
            .map(|name| name.trim().to_lowercase())
            .collect();
        all.iter().filter(|name| *name == "accept-encoding").count()
    };
    for path in [
        "/api/v1/openapi.json",
        "/docs",
        "/docs/style.css",
        "/problems",
    ] {
        for method in [Method::GET, Method::HEAD] {
            for (accept, encoding) in [("gzip", "gzip"), ("identity", ""), ("br", "")] {
                let headers = [("accept-encoding", accept)];
                let answer = app.send(method.clone(), path, &headers, "").await;
                assert_eq!(answer.header("content-encoding"), encoding, "{path}");
                assert_eq!(told(&answer), 1, "{method} {path} {accept}");
            }
            let answer = app.send(method.clone(), path, &[], "").await;
            assert_eq!(told(&answer), 1, "{method} {path}");
        }
    }
    let known = [("if-none-match", "*")];
    let answer = app.send(Method::GET, "/api/v1/openapi.json", &known, "");
    let answer = answer.await;
    assert_eq!((answer.status, told(&answer)), (304, 1));
    // What is never compressed is one for all.
    for path in ["/healthz", "/nowhere", "/auth/me"] {
        assert_eq!(told(&app.get(path).await), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_every_encoding_gets_plain_bytes() {
    let app = TestApp::start().await;
    for accept in ["identity;q=0", "*;q=0", "br, identity;q=0"] {
        let headers = [("accept-encoding", accept)];
        let answer = app
            .send(Method::GET, "/api/v1/openapi.json", &headers, "")
            .await;
        answer.expect(200);
        assert_eq!(answer.header("content-encoding"), "", "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_tells_its_methods_and_answers_head_where_it_answers_get() {
    let app = TestApp::start().await;
    let document = crate::openapi::document(&app).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "x").replace("{slug}", "not-found");
        let answer = app.send(Method::OPTIONS, &path, &[], "").await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
        let allow = answer.header("allow");
        let mut allowed: Vec<&str> = allow.split(", ").collect();
        allowed.sort_unstable();
        let mut expected: Vec<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        expected.push("OPTIONS".to_owned());
        if expected.contains(&"GET".to_owned()) {
            expected.push("HEAD".to_owned());
            let (get, head) = (
                app.get(&path).await,
                app.send(Method::HEAD, &path, &[], "").await,
            );
            assert_eq!(
                (head.status, head.text.as_str()),
                (get.status, ""),
                "{path}"
            );
            assert_eq!(
                head.header("content-type"),
                get.header("content-type"),
                "{path}"
            );
        }
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{path}");
        let other = app.send(Method::TRACE, &path, &[], "").await;
        other.problem(405, "method-not-allowed");
        assert_eq!(other.header("allow"), allow);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_what_is_away_and_the_broker_is_only_degraded() {
    let app = TestApp::start().await;
    assert_eq!(
        app.get("/healthz").await.expect(200),
        json!({"status": "ok"})
    );
    let ready = testkit::eventually(|| async {
        let ready = app.get("/readyz").await.expect(200);
        (ready["status"] == "degraded").then_some(ready)
    })
    .await;
    assert_eq!(ready["dependencies"]["postgres"]["status"], "ready");
    assert_eq!(ready["dependencies"]["rabbitmq"]["status"], "degraded");
    let health = app.get("/health").await.expect(200);
    assert_eq!(
        (&health["status"], &health["database"]),
        (&json!("healthy"), &json!("connected"))
    );
    assert!(health["version"].is_string() && health["uptime_seconds"].is_number());
    let head = app.send(Method::HEAD, "/readyz", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

/// Writes raw bytes and reads until the server closes, or resets.
async fn raw(app: &TestApp, request: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let mut answer = Vec::new();
    if stream.write_all(request).await.is_ok() {
        drop(stream.read_to_end(&mut answer).await);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_is_red_first_and_answers_until_that_can_be_seen() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.terminate();
    let ready = app.get("/readyz").await;
    assert_eq!(ready.expect(503)["status"], "stopping");
    user.service("late").await;
    // On a connection of its own.
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(raw(&app, request).await.starts_with("HTTP/1.1 200 "));
    app.stop().await;
}

/// What no handler sees is answered below all of ours: these are its manners.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_cannot_be_read_is_answered_bare_and_the_connection_ends() {
    let app = TestApp::start().await;
    for (request, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/9.9\r\n\r\n", "400 Bad Request"),
        ("GET /a b HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (
            "GET /healthz HTTP/1.1\r\nbad header\r\n\r\n",
            "400 Bad Request",
        ),
        // The rest of it never comes.
        (
            "GET /healthz HTTP/1.1\r\nHost: x\r\n",
            "408 Request Timeout",
        ),
    ] {
        let answer = raw(&app, request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(body, "", "{answer}");
        assert!(
            head.to_lowercase().contains("connection: close"),
            "{answer}"
        );
    }
    // Who is still writing may lose the answer to the reset that follows it.
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = raw(&app, long.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    let broken = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                  Transfer-Encoding: chunked\r\n\r\nzz\r\n";
    let answer = raw(&app, broken.as_bytes()).await;
    assert_eq!(answer, "", "what breaks its own framing gets no answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_parsers_disagree_on_are_refused() {
    let app = TestApp::start().await;
    for head in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Connection: close\r\n{head}\r\n{{}}"
        );
        let answer = raw(&app, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_no_half_done_work() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"name": "a", "url": "https://a.example.com/"}).to_string();
    let request = format!(
        "POST /services HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        user.token,
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    testkit::eventually(|| async {
        let list = user.get("/services").await.expect(200);
        list["services"].as_array().unwrap().len() == 1
    })
    .await;
    let whole = "SELECT count(*) FROM services s JOIN service_spans p ON p.service_id = s.id \
                 JOIN extra_probes e ON e.service_id = s.id JOIN health h ON h.service_id = s.id";
    assert_eq!(app.db.value::<i64>(whole).await, 1);
}
