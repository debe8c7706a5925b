//! User names where addresses have to be confirmed: what is answered to a registration, and to those after it, tells
//! nothing of whether the address has an account.

use serde_json::json;

use crate::app::{PASSWORD, TestApp};

const REQUIRED: (&str, &str) = ("EMAIL_VERIFICATION", "required");

async fn register(app: &TestApp, email: &str, name: &str) -> u16 {
    let body = json!({"email": email, "password": PASSWORD, "username": name});
    let answer = app.post("/auth/register", &body).await;
    if answer.status != 201 {
        answer.problem(409, "duplicate-username");
    }
    answer.status
}

async fn known(app: &TestApp, email: &str) {
    let body = json!({"email": email, "password": PASSWORD});
    app.post("/auth/register", &body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_given_with_a_known_address_is_gone_like_a_new_accounts() {
    // Who asks, and with which name; `@` stands for the address whose account is asked about.
    let stories: [&[(&str, &str)]; 6] = [
        &[("@", "n"), ("b", "n")],
        &[("b", "n"), ("@", "n")],
        &[("@", "n"), ("@", "N")],
        &[("@", "n"), ("@", "m"), ("b", "n"), ("c", "m"), ("@", "m")],
        &[("@", "n"), ("@", "m"), ("b", "m"), ("c", "n")],
        &[("b", "n"), ("@", "n"), ("@", "m"), ("c", "m"), ("c", "o")],
    ];
    let app = TestApp::with(&[REQUIRED]).await;
    for (number, story) in stories.into_iter().enumerate() {
        let mut told = Vec::new();
        for asked in ["fresh", "known", "confirmed"] {
            let address = |who: &str| format!("{who}-{asked}-{number}@example.com");
            if asked != "fresh" {
                known(&app, &address("a")).await;
            }
            if asked == "confirmed" {
                app.db.execute("UPDATE users SET is_verified = true").await;
            }
            let mut statuses = Vec::new();
            for (who, name) in story {
                let email = address(&who.replace('@', "a"));
                let name = format!("{name}-{asked}-{number}");
                statuses.push(register(&app, &email, &name).await);
            }
            told.push(statuses);
        }
        assert_eq!(told[0], told[1], "{story:?}");
        assert_eq!(told[0], told[2], "{story:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_registrations_with_one_name_one_gets_it_whoever_has_an_account() {
    let app = TestApp::with(&[REQUIRED]).await;
    let twin = TestApp::on(std::sync::Arc::clone(&app.db), &[REQUIRED]).await;
    known(&app, "ann@example.com").await;
    for round in 0..20 {
        let (name, fresh) = (format!("name{round}"), format!("bob{round}@example.com"));
        let (one, two) = tokio::join!(
            register(&app, "ann@example.com", &name),
            register(&twin, &fresh, &name)
        );
        assert!(matches!((one, two), (201, 409) | (409, 201)), "{one} {two}");
    }
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_free_again_when_the_account_goes_and_taken_where_nothing_is_confirmed_any_more()
{
    let app = TestApp::with(&[REQUIRED]).await;
    known(&app, "ann@example.com").await;
    for name in ["one", "two"] {
        assert_eq!(register(&app, "ann@example.com", name).await, 201);
    }
    // The operator changes his mind: a fresh account would still have its name.
    let lax = TestApp::on(std::sync::Arc::clone(&app.db), &[]).await;
    assert_eq!(register(&lax, "bob@example.com", "One").await, 409);
    app.db.execute("UPDATE users SET is_verified = true").await;
    let pair = app.login("ann@example.com", PASSWORD).await.expect(200);
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let body = json!({"password": PASSWORD}).to_string();
    let delete = http::Method::DELETE;
    app.send(delete, "/auth/me", &headers, body)
        .await
        .expect(204);
    for name in ["one", "two"] {
        let email = format!("{name}@example.com");
        assert_eq!(register(&lax, &email, name).await, 201);
    }
    lax.stop().await;
}
