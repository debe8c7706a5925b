//! Where one is logged in, and how one ends it.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{Answer, PASSWORD, TestApp, User};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/refresh", &json!({"refresh_token": token}))
        .await
}

/// The same user, logged in once more.
async fn again<'a>(user: &User<'a>) -> User<'a> {
    let pair = user.app.login(&user.email, PASSWORD).await.expect(200);
    user.with(&pair)
}

async fn sessions(user: &User<'_>) -> Vec<Value> {
    let listed = user.get("/auth/sessions").await.expect(200);
    listed["sessions"].as_array().unwrap().clone()
}

async fn current(user: &User<'_>) -> String {
    let listed = sessions(user).await;
    let current = listed.iter().find(|session| session["current"] == true);
    current.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn end(user: &User<'_>, id: &str) -> Answer {
    let path = format!("/auth/sessions/{id}");
    user.send(Method::DELETE, &path, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_where_he_is_logged_in() {
    let app = TestApp::start().await;
    let (first, _stranger) = (app.user().await, app.user().await);
    app.advance_seconds(60);
    let agent = format!("Phone {}", "x".repeat(300));
    let login = json!({"email": first.email, "password": PASSWORD}).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", agent.as_str()),
    ];
    let pair = app.send(Method::POST, "/auth/login", &headers, login).await;
    let second = first.with(&pair.expect(200));
    let listed = sessions(&second).await;
    assert_eq!(listed.len(), 2);
    let flags: Vec<&Value> = listed.iter().map(|session| &session["current"]).collect();
    assert_eq!(flags, [true, false], "the last used first");
    assert_eq!(listed[0]["client_address"], "127.0.0.1");
    assert_eq!(listed[0]["user_agent"], agent[..200]);
    assert_eq!(listed[1]["user_agent"], Value::Null);
    // Use moves it to the top, and tells when; when it began stays.
    app.advance_seconds(60);
    let pair = refresh(&app, &first.refresh_token).await.expect(200);
    let moved = sessions(&first.with(&pair)).await;
    assert_eq!(moved[0]["id"], listed[1]["id"]);
    assert_eq!(moved[0]["created_at"], listed[1]["created_at"]);
    assert!(moved[0]["last_used_at"].as_str() > listed[0]["last_used_at"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_is_over_at_once_and_no_other() {
    let app = TestApp::start().await;
    let (here, stranger) = (app.user().await, app.user().await);
    let there = again(&here).await;
    let id = current(&there).await;
    for wrong in [id.as_str(), &Uuid::now_v7().to_string(), "abc"] {
        end(&stranger, wrong).await.problem(404, "not-found");
    }
    there.get("/auth/me").await.expect(200);
    end(&here, &id).await.expect(204);
    end(&here, &id).await.problem(404, "not-found");
    there.get("/auth/me").await.problem(401, "unauthorized");
    there.service_refused().await;
    refresh(&app, &there.refresh_token)
        .await
        .problem(401, "invalid-refresh-token");
    here.get("/auth/me").await.expect(200);
    refresh(&app, &here.refresh_token).await.expect(200);
    assert_eq!(sessions(&here).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_access_token_too() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"refresh_token": user.refresh_token});
    app.post("/auth/logout", &body).await.expect(204);
    user.get("/auth/me").await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_ends_every_token() {
    let app = TestApp::start().await;
    let (here, stranger) = (app.user().await, app.user().await);
    let there = again(&here).await;
    here.post("/auth/logout-all", &json!({})).await.expect(204);
    for user in [&here, &there] {
        user.get("/auth/me").await.problem(401, "unauthorized");
        refresh(&app, &user.refresh_token)
            .await
            .problem(401, "invalid-refresh-token");
    }
    stranger.get("/auth/me").await.expect(200);
    // Sessions that end, end their tokens; the epoch ends those of the release before, which name none.
    let epoch = format!("SELECT token_epoch FROM users WHERE id = '{}'", here.id);
    assert_eq!(app.db.value::<i32>(&epoch).await, 1);
    assert_eq!(sessions(&again(&here).await).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session_and_this_one_goes_on() {
    const NEW: &str = "battery staple";
    let app = TestApp::start().await;
    let here = app.user().await;
    let there = again(&here).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        here.post("/auth/change-password", &body).await
    };
    let wrong = change("wrong password", NEW).await;
    wrong.problem(422, "validation-failed");
    assert_eq!(wrong.wrong_fields(), ["current_password"]);
    let short = change(PASSWORD, "short").await;
    assert_eq!(short.wrong_fields(), ["new_password"]);
    let both = change("wrong password", "short").await;
    both.problem(422, "validation-failed");
    assert_eq!(both.wrong_fields(), ["new_password", "current_password"]);
    there.get("/auth/me").await.expect(200);

    let id = current(&here).await;
    let renewed = here.with(&change(PASSWORD, NEW).await.expect(200));
    for user in [&here, &there] {
        user.get("/auth/me").await.problem(401, "unauthorized");
        refresh(&app, &user.refresh_token)
            .await
            .problem(401, "invalid-refresh-token");
    }
    renewed.get("/auth/me").await.expect(200);
    let listed = sessions(&renewed).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], *id);
    refresh(&app, &renewed.refresh_token).await.expect(200);
    app.login(&here.email, PASSWORD)
        .await
        .problem(401, "invalid-credentials");
    app.login(&here.email, NEW).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_too_many_ends_the_one_that_was_not_used_for_longest() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.db
        .execute(&format!(
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) \
             SELECT gen_random_uuid(), '{}', now(), now() + interval '1 minute', \
                    now() + interval '1 day' FROM generate_series(1, 99)",
            user.id
        ))
        .await;
    user.get("/auth/me").await.expect(200);
    let newest = again(&user).await;
    user.get("/auth/me").await.problem(401, "unauthorized");
    refresh(&app, &user.refresh_token)
        .await
        .problem(401, "invalid-refresh-token");
    assert_eq!(sessions(&newest).await.len(), 100);
}
