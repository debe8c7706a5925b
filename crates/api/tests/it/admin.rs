//! Administration.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, TestApp, User};

const ADMIN: &str = "root@example.com";
const ADMIN_PASSWORD: &str = "the first admin's password";

async fn administered() -> TestApp {
    let app = TestApp::with(&[("ADMIN_EMAIL", ADMIN), ("ADMIN_PASSWORD", ADMIN_PASSWORD)]).await;
    testkit::eventually(|| async { app.db.value::<i64>("SELECT count(*) FROM users").await == 1 })
        .await;
    app
}

async fn logged_in<'a>(app: &'a TestApp, email: &str, password: &str) -> User<'a> {
    let pair = app.login(email, password).await.expect(200);
    let token = |name: &str| pair[name].as_str().unwrap().to_owned();
    let mut user = User {
        app,
        id: uuid::Uuid::nil(),
        email: email.to_owned(),
        token: token("access_token"),
        refresh_token: token("refresh_token"),
    };
    let me = user.get("/auth/me").await.expect(200);
    user.id = me["id"].as_str().unwrap().parse().unwrap();
    user
}

impl User<'_> {
    async fn turn(&self, whom: &User<'_>, what: &str) -> Answer {
        self.post(
            &format!("/api/v1/admin/users/{}/{what}", whom.id),
            &json!({}),
        )
        .await
    }

    async fn quota(&self, whom: &User<'_>, services: Value) -> Answer {
        let path = format!("/admin/users/{}/quota", whom.id);
        self.send(
            Method::PUT,
            &path,
            json!({"services": services}).to_string(),
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_comes_from_the_settings_once_and_keeps_his_password() {
    let app = administered().await;
    let me = logged_in(&app, ADMIN, ADMIN_PASSWORD)
        .await
        .get("/auth/me")
        .await
        .expect(200);
    assert_eq!(
        (&me["role"], &me["is_verified"]),
        (&json!("admin"), &json!(true))
    );
    let rows = "SELECT string_agg(u::text, ' ') FROM users u";
    let before: String = app.db.value(rows).await;
    for (email, password) in [
        (ADMIN, ADMIN_PASSWORD),
        (ADMIN, "another password"),
        ("second@example.com", "another password"),
    ] {
        let settings = [("ADMIN_EMAIL", email), ("ADMIN_PASSWORD", password)];
        let twin = TestApp::on(std::sync::Arc::clone(&app.db), &settings).await;
        testkit::eventually(|| async { twin.get("/readyz").await.status == 200 }).await;
        // The task that would change something has ended when the process has.
        twin.stop().await;
        assert_eq!(app.db.value::<String>(rows).await, before, "{email}");
    }
    let appointed = "SELECT count(*) FROM audit_log WHERE event = 'admin_appointed'";
    assert_eq!(app.db.value::<i64>(appointed).await, 1);
    logged_in(&app, ADMIN, ADMIN_PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registered_the_admins_address_before_is_made_admin_only_with_his_password() {
    let app = TestApp::start().await;
    let body = json!({"email": ADMIN, "password": PASSWORD});
    app.post("/auth/register", &body).await.expect(201);
    let roles = async |password: &str| {
        let settings = [("ADMIN_EMAIL", ADMIN), ("ADMIN_PASSWORD", password)];
        let process = TestApp::on(std::sync::Arc::clone(&app.db), &settings).await;
        testkit::eventually(|| async { process.get("/readyz").await.status == 200 }).await;
        process
    };
    let first = roles(ADMIN_PASSWORD).await;
    // It decides before anything that comes after; a second process with the right password shows that.
    let second = roles(PASSWORD).await;
    let admins = "SELECT count(*) FROM audit_log WHERE event = 'admin_appointed'";
    testkit::eventually(|| async { app.db.value::<i64>(admins).await == 1 }).await;
    assert_eq!(
        app.db.value::<String>("SELECT role FROM users").await,
        "admin"
    );
    logged_in(&app, ADMIN, PASSWORD).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(app.db.value::<i64>(admins).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_find_accounts_and_set_quotas() {
    let app = administered().await;
    let admin = logged_in(&app, ADMIN, ADMIN_PASSWORD).await;
    let (ann, bob) = (app.user().await, app.user().await);
    ann.service("a").await;
    let all = admin.get("/api/v1/admin/users?limit=2").await.expect(200);
    assert_eq!(all["users"].as_array().unwrap().len(), 2);
    let cursor = all["pagination"]["next_cursor"].as_str().unwrap();
    let rest = admin
        .get(&format!("/admin/users?limit=2&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(rest["users"][0]["email"], ADMIN);
    let (name, _) = ann.email.split_once('@').unwrap();
    let found = admin
        .get(&format!("/admin/users?q={}", name.to_uppercase()))
        .await
        .expect(200);
    assert_eq!(found["users"].as_array().unwrap().len(), 1);
    let user = &found["users"][0];
    assert_eq!(
        user["quota"]["services"],
        json!({"limit": 3, "own": null, "used": 1})
    );
    assert_eq!(
        *user,
        admin
            .get(&format!("/admin/users/{}", ann.id))
            .await
            .expect(200)
    );
    assert!(!all.to_string().contains("$2b$"));
    let raised = admin.quota(&ann, json!(1)).await.expect(200);
    assert_eq!(
        raised["quota"]["services"],
        json!({"limit": 1, "own": 1, "used": 1})
    );
    let another = json!({"name": "b", "url": "https://b.example.com/"});
    ann.create(&another).await.problem(409, "quota-exceeded");
    admin.quota(&ann, Value::Null).await.expect(200);
    ann.create(&another).await.expect(201);
    for wrong in [json!(-1), json!("3"), json!(1.5), json!(1_000_001)] {
        assert_eq!(admin.quota(&bob, wrong).await.wrong_fields(), ["services"]);
    }
    let events = ann.get("/audit?event=quota_changed").await.expect(200);
    assert_eq!(events["events"][0]["details"], json!({"services": null}));
    assert_eq!(events["events"][1]["by"], "admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_everything_at_once_and_an_unlock_brings_no_token_back() {
    let app = administered().await;
    let admin = logged_in(&app, ADMIN, ADMIN_PASSWORD).await;
    let ann = app.user().await;
    let key = ann
        .post("/api-keys", &json!({"name": "k", "scope": "read"}))
        .await
        .expect(201);
    let machine = User {
        token: key["key"].as_str().unwrap().to_owned(),
        ..ann.at(&app)
    };
    for _ in 0..2 {
        assert_eq!(
            admin.turn(&ann, "lock").await.expect(200)["is_locked"],
            true
        );
    }
    let refresh = async || {
        app.post(
            "/auth/refresh",
            &json!({"refresh_token": ann.refresh_token}),
        )
        .await
    };
    ann.get("/services").await.problem(401, "unauthorized");
    machine.get("/services").await.problem(401, "unauthorized");
    refresh().await.problem(401, "invalid-refresh-token");
    app.login(&ann.email, PASSWORD)
        .await
        .problem(401, "invalid-credentials");
    assert_eq!(
        admin.turn(&ann, "unlock").await.expect(200)["is_locked"],
        false
    );
    ann.get("/services").await.problem(401, "unauthorized");
    refresh().await.problem(401, "invalid-refresh-token");
    machine.get("/services").await.expect(200);
    let again = logged_in(&app, &ann.email, PASSWORD).await;
    let log = again.get("/audit?event=locked").await.expect(200);
    assert_eq!(log["events"].as_array().unwrap().len(), 1);
    admin.turn(&admin, "lock").await.problem(409, "own-account");
    admin.get("/auth/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_admin_who_is_not_locked_stays_whoever_else_leaves_at_once() {
    let app = administered().await;
    let twin = TestApp::on(std::sync::Arc::clone(&app.db), &[]).await;
    let first = logged_in(&app, ADMIN, ADMIN_PASSWORD).await;
    let leave = async |user: &User<'_>, password: &str| {
        let body = json!({"password": password}).to_string();
        user.send(Method::DELETE, "/auth/me", body).await
    };
    leave(&first, ADMIN_PASSWORD)
        .await
        .problem(409, "last-admin");
    first.get("/admin/users").await.expect(200);
    let appoint = async |user: &User<'_>| {
        let sql = format!("UPDATE users SET role = 'admin' WHERE id = '{}'", user.id);
        app.db.execute(&sql).await;
    };
    let left = |answers: [&Answer; 2]| {
        let gone = answers.iter().filter(|answer| answer.status < 300).count();
        assert_eq!(gone, 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status >= 300) {
            if answer.status != 401 {
                answer.problem(409, "last-admin");
            }
        }
    };
    let mut admin = first;
    let mut password = ADMIN_PASSWORD;
    for _ in 0..10 {
        let other = app.user().await;
        appoint(&other).await;
        let (one, two) = {
            let there = other.at(&twin);
            tokio::join!(leave(&admin, password), leave(&there, PASSWORD))
        };
        left([&one, &two]);
        if one.status == 204 {
            (admin, password) = (other, PASSWORD);
        }
    }
    for _ in 0..10 {
        let other = app.user().await;
        appoint(&other).await;
        let (one, two) = {
            let there = other.at(&twin);
            tokio::join!(admin.turn(&other, "lock"), there.turn(&admin, "lock"))
        };
        left([&one, &two]);
        if two.status == 200 {
            (admin, password) = (other, PASSWORD);
        }
    }
    // A locked one is no admin who could help.
    leave(&admin, password).await.problem(409, "last-admin");
    // Who is no admin leaves as he likes.
    let ann = app.user().await;
    leave(&ann, PASSWORD).await.expect(204);
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_administers_and_unknown_accounts_are_not_found() {
    let app = administered().await;
    let admin = logged_in(&app, ADMIN, ADMIN_PASSWORD).await;
    let (ann, bob) = (app.user().await, app.user().await);
    let routes = |id: &str| {
        [
            (Method::GET, "/admin/users".to_owned()),
            (Method::GET, format!("/admin/users/{id}")),
            (Method::PUT, format!("/admin/users/{id}/quota")),
            (Method::POST, format!("/admin/users/{id}/lock")),
            (Method::POST, format!("/api/v1/admin/users/{id}/unlock")),
        ]
    };
    let body = |path: &str| match path.ends_with("quota") {
        true => r#"{"services": 9}"#,
        false => "{}",
    };
    for id in [
        bob.id.to_string(),
        uuid::Uuid::now_v7().to_string(),
        "abc".to_owned(),
    ] {
        for (method, path) in routes(&id) {
            ann.send(method, &path, body(&path))
                .await
                .problem(403, "admins-only");
        }
    }
    for id in [uuid::Uuid::now_v7().to_string(), "abc".to_owned()] {
        for (method, path) in routes(&id).into_iter().skip(1) {
            admin
                .send(method, &path, body(&path))
                .await
                .problem(404, "not-found");
        }
    }
    bob.get("/auth/me").await.expect(200);
}
