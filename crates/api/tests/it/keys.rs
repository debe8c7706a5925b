//! Keys for machines.

use futures_util::future::join_all;
use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, TestApp, User, path_of};

impl User<'_> {
    async fn key(&self, scope: &str) -> Value {
        let body = json!({"name": format!("a {scope} key"), "scope": scope});
        self.post("/api/v1/api-keys", &body).await.expect(201)
    }

    /// A machine of this user.
    fn with_key(&self, key: &Value) -> User<'_> {
        User {
            token: key["key"].as_str().unwrap().to_owned(),
            ..self.at(self.app)
        }
    }

    async fn keys(&self) -> Value {
        self.get("/api-keys").await.expect(200)["api_keys"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_opens_what_its_scope_says() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (read, write) = (user.key("read").await, user.key("write").await);
    let text = read["key"].as_str().unwrap();
    assert!(text.starts_with("pmk_") && text.starts_with(read["prefix"].as_str().unwrap()));
    let listed = user.keys().await;
    assert!(!listed.to_string().contains(text), "{listed}");
    assert_eq!(listed[1]["id"], read["id"]);
    assert_eq!(listed[1]["last_used_at"], Value::Null);
    let (reader, writer) = (user.with_key(&read), user.with_key(&write));
    let service = writer.service("a").await;
    reader.show(&service).await.expect(200);
    writer.show(&service).await.expect(200);
    reader.get("/api/v1/dashboard").await.expect(200);
    reader
        .get(&format!("/dashboard/{}", service["id"].as_str().unwrap()))
        .await
        .expect(200);
    for answer in [
        reader.create(&json!({})).await,
        reader.edit(&service, &json!({"name": "b"})).await,
        reader.delete(&service).await,
        reader.probe(&service).await,
    ] {
        answer.problem(403, "insufficient-scope");
    }
    writer
        .edit(&service, &json!({"name": "b"}))
        .await
        .expect(200);
    writer.delete(&service).await.expect(204);
    assert!(user.keys().await[1]["last_used_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_opens_accounts_keys_or_administration() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.db.execute("UPDATE users SET role = 'admin'").await;
    let key = user.key("write").await;
    let machine = user.with_key(&key);
    let id = key["id"].as_str().unwrap();
    for (method, path) in [
        (Method::GET, "/auth/me".to_owned()),
        (Method::GET, "/audit".to_owned()),
        (Method::GET, "/api-keys".to_owned()),
        (Method::POST, "/api/v1/api-keys".to_owned()),
        (Method::DELETE, format!("/api-keys/{id}")),
        (Method::POST, format!("/api-keys/{id}/rotate")),
        (Method::GET, "/admin/users".to_owned()),
        (Method::GET, "/api/v1/admin/audit".to_owned()),
    ] {
        let answer = machine.send(method, &path, "{}").await;
        answer.problem(403, "session-required");
    }
    assert_eq!(user.keys().await[0]["id"], key["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_revoked_or_expired_key_is_ended_at_once() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let old = user.key("read").await;
    let path = format!("/api/v1/api-keys/{}", old["id"].as_str().unwrap());
    let new = user
        .post(&format!("{path}/rotate"), &json!({}))
        .await
        .expect(200);
    assert_eq!((&new["id"], &new["name"]), (&old["id"], &old["name"]));
    assert!(new["rotated_at"].is_string());
    user.with_key(&old)
        .get("/services")
        .await
        .problem(401, "unauthorized");
    user.with_key(&new).get("/services").await.expect(200);
    user.send(Method::DELETE, &path, "").await.expect(204);
    user.with_key(&new)
        .get("/services")
        .await
        .problem(401, "unauthorized");
    user.send(Method::DELETE, &path, "")
        .await
        .problem(404, "not-found");
    let made: chrono::DateTime<chrono::Utc> = new["created_at"].as_str().unwrap().parse().unwrap();
    let at = made + chrono::TimeDelta::hours(1);
    let body = json!({"name": "short", "scope": "read", "expires_at": at.to_rfc3339()});
    let short = user.post("/api-keys", &body).await.expect(201);
    user.with_key(&short).get("/services").await.expect(200);
    app.advance_seconds(3_700);
    user.with_key(&short)
        .get("/services")
        .await
        .problem(401, "unauthorized");
    // Another secret would be as dead, and so the old one stays what it was.
    let rotate = format!("/api-keys/{}/rotate", short["id"].as_str().unwrap());
    user.post(&rotate, &json!({}))
        .await
        .problem(409, "api-key-expired");
    let listed = user.keys().await;
    assert_eq!(
        (&listed[0]["prefix"], &listed[0]["rotated_at"]),
        (&short["prefix"], &Value::Null)
    );
    let events = user.get("/audit?limit=4").await.expect(200);
    let names: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    let expected = [
        "api_key_created",
        "api_key_revoked",
        "api_key_rotated",
        "api_key_created",
    ];
    assert_eq!(names, expected);
    for key in [&old, &new, &short] {
        assert!(!events.to_string().contains(key["key"].as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_stops_keys_and_a_new_password_does_not() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let machine_key = user.key("read").await;
    let machine = user.with_key(&machine_key);
    app.db
        .execute("UPDATE users SET token_epoch = token_epoch + 1")
        .await;
    user.get("/services").await.problem(401, "unauthorized");
    machine.get("/services").await.expect(200);
    app.db.execute("UPDATE users SET locked_at = now()").await;
    machine.get("/services").await.problem(401, "unauthorized");
    app.db.execute("UPDATE users SET locked_at = NULL").await;
    machine.get("/services").await.expect(200);
    app.db.execute("DELETE FROM users").await;
    machine.get("/services").await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_twenty_keys_at_most_and_only_his_own() {
    let app = TestApp::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let body = json!({"name": "x", "scope": "read"});
    for _ in 0..16 {
        user.post("/api-keys", &body).await.expect(201);
    }
    let answers: Vec<Answer> = join_all((0..8).map(|_| user.post("/api-keys", &body))).await;
    let made = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(made.count(), 4);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "api-key-limit");
    }
    assert_eq!(stranger.keys().await, json!([]));
    let id = user.keys().await[0]["id"].as_str().unwrap().to_owned();
    for path in [format!("/api-keys/{id}"), "/api-keys/abc".to_owned()] {
        stranger
            .send(Method::DELETE, &path, "")
            .await
            .problem(404, "not-found");
        stranger
            .post(&format!("{path}/rotate"), &json!({}))
            .await
            .problem(404, "not-found");
    }
    let wrong =
        json!({"name": "", "scope": "all", "expires_at": "2001-01-01T00:00:00Z", "key": "x"});
    assert_eq!(
        stranger.post("/api-keys", &wrong).await.wrong_fields(),
        ["name", "scope", "expires_at", "key"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_key_is_one_time_wherever_it_is_shown() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let ending = |at: &str| json!({"name": at, "scope": "read", "expires_at": at});
    let beyond = ending("9999-12-31T23:59:59-23:59");
    let beyond = user.post("/api-keys", &beyond).await;
    assert_eq!(beyond.wrong_fields(), ["expires_at"]);
    for (at, shown) in [
        ("2126-06-30T23:59:60Z", "2126-07-01T00:00:00.000Z"), // a leap second
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ] {
        let made = user.post("/api-keys", &ending(at)).await.expect(201);
        assert_eq!(made["expires_at"], shown);
        let listed = user.get("/api-keys").await.expect(200);
        assert_eq!(listed["api_keys"][0]["expires_at"], shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_gone_wild_asks_the_database_nothing_until_its_window_ends() {
    let settings = [
        ("RATE_LIMIT_READS_PER_MINUTE", "3"),
        ("RATE_LIMIT_WRITES_PER_MINUTE", "3"),
    ];
    let app = TestApp::with(&settings).await;
    let user = app.user().await;
    let key = user.key("write").await;
    let machine = user.with_key(&key);
    for _ in 0..3 {
        machine.get("/services").await.expect(200);
    }
    machine
        .get("/services")
        .await
        .problem(429, "too-many-requests");
    let hide = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        app.db.execute(&sql).await;
    };
    hide("api_keys", "hidden").await;
    for _ in 0..5 {
        let refused = machine.get("/services").await;
        refused.problem(429, "too-many-requests");
        assert_eq!(refused.header("ratelimit-limit"), "3");
        assert_eq!(
            refused.header("retry-after"),
            refused.header("ratelimit-reset")
        );
    }
    hide("hidden", "api_keys").await;
    // Writes have a limit of their own.
    machine.service("a").await;
    app.advance_seconds(61);
    machine.get("/services").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_counts_as_its_user_and_guessing_ends_soon() {
    let app = TestApp::with(&[("RATE_LIMIT_READS_PER_MINUTE", "4")]).await;
    let user = app.user().await;
    let key = user.key("read").await;
    let machine = user.with_key(&key);
    for who in [&user, &machine, &user, &machine] {
        who.get("/services").await.expect(200);
    }
    machine
        .get("/services")
        .await
        .problem(429, "too-many-requests");
    user.get("/services")
        .await
        .problem(429, "too-many-requests");
    let guess = User {
        token: format!("pmk_{PASSWORD}"),
        ..user.at(&app)
    };
    for _ in 0..100 {
        guess.get("/services").await.problem(401, "unauthorized");
    }
    guess
        .get("/services")
        .await
        .problem(429, "too-many-requests");
    let service = json!({"id": "x"});
    guess
        .send(Method::GET, &path_of(&service), "")
        .await
        .problem(429, "too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_keep_no_good_one_waiting_that_this_process_knows() {
    let settings = [("TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::with(&settings).await;
    let user = app.user().await;
    let (good, revoked, fresh) = (
        user.key("read").await,
        user.key("read").await,
        user.key("read").await,
    );
    let shown = async |key: &str, address: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-forwarded-for", address),
        ];
        let answer = app.send(Method::GET, "/services", &headers, "").await;
        answer.status
    };
    let text = |key: &Value| key["key"].as_str().unwrap().to_owned();
    let (office, elsewhere) = ("198.51.100.1", "198.51.100.2");
    for key in [&good, &revoked] {
        assert_eq!(shown(&text(key), elsewhere).await, 200);
    }
    for n in 0..100 {
        assert_eq!(shown(&format!("pmk_{n}"), office).await, 401);
    }
    assert_eq!(shown("pmk_another", office).await, 429);
    assert_eq!(shown(&text(&good), office).await, 200);
    // One that is known and does not hold any more is told so, once.
    let path = format!("/api-keys/{}", revoked["id"].as_str().unwrap());
    user.send(Method::DELETE, &path, "").await.expect(204);
    assert_eq!(shown(&text(&revoked), office).await, 401);
    assert_eq!(shown(&text(&revoked), office).await, 429);
    // One that was never seen here waits, from there alone.
    assert_eq!(shown(&text(&fresh), office).await, 429);
    assert_eq!(shown(&text(&fresh), elsewhere).await, 200);
    assert_eq!(shown(&text(&fresh), office).await, 200);
    app.advance_seconds(61);
    assert_eq!(shown("pmk_another", office).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_mail_revokes_every_key_and_a_changed_password_none() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let keys = [user.key("read").await, user.key("write").await];
    let others = other.key("read").await;
    let works = async |key: &Value, status: u16| {
        let answer = user.with_key(key).get("/services").await;
        assert_eq!(answer.status, status, "{}", answer.text);
    };
    let body = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    user.post("/auth/change-password", &body).await.expect(200);
    works(&keys[1], 200).await;
    let body = json!({"email": user.email});
    app.post("/auth/forgot-password", &body).await.expect(202);
    let token = app.link(user.id, LinkPurpose::ResetPassword).await;
    let body = json!({"token": token, "new_password": "third time lucky"});
    app.post("/auth/reset-password", &body).await.expect(204);
    for key in &keys {
        works(key, 401).await;
    }
    works(&others, 200).await;
    let pair = app.login(&user.email, "third time lucky").await.expect(200);
    let owner = user.with(&pair);
    assert_eq!(owner.keys().await, json!([]));
    let revoked = owner.get("/audit?event=api_key_revoked").await.expect(200);
    let mut told: Vec<&Value> = Vec::new();
    for event in revoked["events"].as_array().unwrap() {
        told.push(&event["details"]["id"]);
    }
    assert_eq!(told.len(), 2, "{revoked}");
    assert!(keys.iter().all(|key| told.contains(&&key["id"])));
}
