//! The pages that links in mails lead to: for a person with a browser, without a script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::{Answer, PASSWORD, TestApp};
use crate::links::{ask, register};

/// Posts a form as a browser would.
async fn submit(app: &TestApp, path: &str, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    app.send(Method::POST, path, &headers, form.to_owned())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_whole_in_itself_and_looking_at_it_changes_nothing() {
    let app = TestApp::start().await;
    let user = app.user().await;
    ask(&app, "/auth/resend-verify", &user.email).await;
    let token = app.link(user.id, LinkPurpose::VerifyEmail).await;
    for path in ["verify", "reset-password", "confirm-email"] {
        for mount in ["", "/api/v1"] {
            let path = format!("{mount}/auth/{path}?token={token}&utm_source=mail");
            for method in [Method::GET, Method::HEAD] {
                let page = app.send(method, &path, &[], "").await;
                assert_eq!(page.status, 200);
                assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
                assert_eq!(page.header("cache-control"), "no-store");
                assert_eq!(page.header("referrer-policy"), "no-referrer");
            }
            let page = app.get(&path).await;
            let style = page.text.split("<style>").nth(1).unwrap();
            let style = style.split("</style>").next().unwrap();
            let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            );
            assert_eq!(page.header("content-security-policy"), policy);
            for outside in [
                "<script", "src=", "http://", "https://", "url(", "@import", "style=",
            ] {
                assert!(!page.text.contains(outside), "{outside}: {}", page.text);
            }
            assert!(page.text.contains(&format!("value=\"{token}\"")));
        }
    }
    assert_eq!(app.link(user.id, LinkPurpose::VerifyEmail).await, token);
    // What can not be a token is not repeated.
    for bad in ["", "?token=", "?token=%22%3E%3Cscript%3E"] {
        let page = app.get(&format!("/auth/verify{bad}")).await;
        assert!(page.text.contains("This link does not work") && !page.text.contains("<form"));
        assert!(!page.text.contains("<script"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_of_a_page_works_without_a_script() {
    let app = TestApp::start().await;
    let user = app.user().await;
    ask(&app, "/auth/resend-verify", &user.email).await;
    let token = app.link(user.id, LinkPurpose::VerifyEmail).await;
    let done = submit(&app, "/api/v1/auth/verify", &format!("token={token}")).await;
    assert_eq!(done.header("content-type"), "text/html; charset=utf-8");
    assert!(
        done.text.contains("Your address is confirmed"),
        "{}",
        done.text
    );
    assert_eq!(user.get("/auth/me").await.expect(200)["is_verified"], true);
    let again = submit(&app, "/auth/verify", &format!("token={token}")).await;
    assert_eq!(again.status, 400);
    assert!(
        again.text.contains("This link does not work"),
        "{}",
        again.text
    );

    ask(&app, "/auth/forgot-password", &user.email).await;
    let token = app.link(user.id, LinkPurpose::ResetPassword).await;
    let weak = format!("token={token}&new_password=short");
    let weak = submit(&app, "/auth/reset-password", &weak).await;
    assert_eq!(weak.status, 422);
    assert!(
        weak.text.contains("must be at least 8 characters"),
        "{}",
        weak.text
    );
    assert!(weak.text.contains(&token) && !weak.text.contains("short"));
    // Whatever a browser sends wrong, a person gets a page.
    for (sent, status) in [
        (
            format!("token={token}&new_password=battery+staple&x=1"),
            422,
        ),
        (format!("token={token}&new_password=%FF%FE"), 400),
        (format!("token={token}"), 422),
        ("new_password=short".to_owned(), 422),
    ] {
        let answer = submit(&app, "/auth/reset-password", &sent).await;
        assert_eq!(answer.status, status, "{sent}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    }
    for path in ["verify", "confirm-email"] {
        let answer = submit(&app, &format!("/auth/{path}"), "token=a&x=1").await;
        assert_eq!(answer.status, 422);
        assert!(answer.text.contains("Nothing was changed"), "{path}");
    }
    let good = format!("token={token}&new_password=battery+staple%21");
    let done = submit(&app, "/auth/reset-password", &good).await;
    assert_eq!(done.status, 200);
    app.login(&user.email, "battery staple!").await.expect(200);
    // Only these take forms.
    submit(&app, "/auth/login", "email=a&password=b")
        .await
        .problem(415, "unsupported-media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_moves_to_an_address_that_is_taken_meanwhile_is_told_so_by_a_page() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"email": "wanted@example.com", "password": PASSWORD});
    user.post("/auth/change-email", &body).await.expect(202);
    let leave = app.link(user.id, LinkPurpose::LeaveAddress).await;
    let take = app.link(user.id, LinkPurpose::TakeAddress).await;
    let half = submit(&app, "/auth/confirm-email", &format!("token={leave}")).await;
    assert_eq!(half.status, 200, "{}", half.text);
    register(&app, "wanted@example.com").await;
    let taken = submit(&app, "/auth/confirm-email", &format!("token={take}")).await;
    assert_eq!(taken.status, 409);
    assert_eq!(taken.header("content-type"), "text/html; charset=utf-8");
    assert!(
        taken.text.contains("This address has another account"),
        "{}",
        taken.text
    );
    assert_eq!(user.get("/auth/me").await.expect(200)["email"], user.email);
}
