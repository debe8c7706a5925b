//! Accounts and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{JWT_SECRET, PASSWORD, TestApp, User};

async fn refresh(app: &TestApp, token: &str) -> crate::app::Answer {
    app.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
        .await
}

fn token_of(pair: &Value) -> String {
    pair["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_can_log_in_and_see_itself() {
    let app = TestApp::start().await;
    let body = json!({"email": " Ann@Example.com ", "password": PASSWORD, "username": "Ann"});
    let created = app.post("/auth/register", &body).await.expect(201);
    assert_eq!(created["email"], "Ann@example.com");
    assert_eq!(
        (&created["username"], &created["is_verified"]),
        (&json!("Ann"), &json!(false))
    );
    let answer = app.login("ANN@EXAMPLE.COM", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let pair = answer.expect(200);
    assert_eq!(
        (&pair["token_type"], &pair["expires_in"]),
        (&json!("Bearer"), &json!(86_400))
    );
    let bearer = format!("bearer {}", pair["access_token"].as_str().unwrap());
    let me = app
        .send(
            http::Method::GET,
            "/auth/me",
            &[("authorization", &bearer)],
            "",
        )
        .await
        .expect(200);
    assert_eq!(me["id"], created["id"]);
    assert_eq!(me["role"], "user");
    assert_eq!(me["quota"]["services"], json!({"limit": 3, "used": 0}));
    assert_eq!(me["created_at"], created["created_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_names_belong_to_one_account_whatever_their_case() {
    let app = TestApp::start().await;
    let register = async |email: &str, username: &str| {
        let body = json!({"email": email, "password": PASSWORD, "username": username});
        app.post("/auth/register", &body).await
    };
    register("bob@example.com", "Bob").await.expect(201);
    register("BOB@example.com", "other")
        .await
        .problem(409, "duplicate-email");
    register("b@example.com", "bOB")
        .await
        .problem(409, "duplicate-username");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_an_account_is_named() {
    let app = TestApp::start().await;
    let body = json!({"email": "x", "password": "short", "username": "", "role": "admin"});
    let answer = app.post("/auth/register", &body).await;
    answer.problem(422, "validation-failed");
    assert_eq!(
        answer.wrong_fields(),
        ["email", "password", "username", "role"]
    );
    let long = json!({"email": "a@example.com", "password": "x".repeat(73)});
    assert_eq!(
        app.post("/auth/register", &long).await.wrong_fields(),
        ["password"]
    );
    assert_eq!(app.db.value::<i64>("SELECT count(*) FROM users").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let wrong = app.login(&user.email, "wrong password").await;
    let unknown = app.login("nobody@example.com", PASSWORD).await;
    let garbage = app.login("not an address", PASSWORD).await;
    let long = app
        .login(&user.email, &format!("{PASSWORD}{}", "x".repeat(80)))
        .await;
    for answer in [&wrong, &unknown, &garbage, &long] {
        let mut problem = answer.problem(401, "invalid-credentials");
        let mut first = wrong.json();
        problem["instance"] = Value::Null;
        first["instance"] = Value::Null;
        assert_eq!(problem, first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_another_cost_is_renewed_at_login() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let old = bcrypt_hash(5);
    app.db
        .execute(&format!("UPDATE users SET password_hash = '{old}'"))
        .await;
    app.login(&user.email, PASSWORD).await.expect(200);
    let hash: String = app.db.value("SELECT password_hash FROM users").await;
    assert!(hash.starts_with("$2b$04$"), "{hash}");
    app.login(&user.email, PASSWORD).await.expect(200);
    user.get("/auth/me").await.expect(200);
}

fn bcrypt_hash(cost: u32) -> String {
    bcrypt::hash(PASSWORD, cost).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_spent_once_and_its_second_use_ends_the_family() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let second = token_of(&refresh(&app, &user.refresh_token).await.expect(200));
    // a lost reply: the same successor, for ten seconds
    app.advance_seconds(9);
    let again = refresh(&app, &user.refresh_token).await.expect(200);
    assert_eq!(token_of(&again), second);
    let third = token_of(&refresh(&app, &second).await.expect(200));
    app.advance_seconds(2);
    refresh(&app, &user.refresh_token)
        .await
        .problem(401, "invalid-refresh-token");
    refresh(&app, &third)
        .await
        .problem(401, "invalid-refresh-token");
    user.get("/auth/me").await.problem(401, "unauthorized");
    let stored: Vec<u8> = app
        .db
        .value("SELECT token_hash FROM refresh_tokens LIMIT 1")
        .await;
    assert_eq!(stored.len(), 32);
    // another login of the same user is another family
    let pair = app.login(&user.email, PASSWORD).await.expect(200);
    refresh(&app, &token_of(&pair)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_refreshes_of_one_token_get_one_successor() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let twin = app.twin().await;
    let apps = [&app, &twin];
    let uses = (0..20).map(async |use_| {
        loop {
            let answer = refresh(apps[use_ % 2], &user.refresh_token).await;
            if answer.status != 503 {
                return token_of(&answer.expect(200)); // 503: so many at once, asked again
            }
        }
    });
    let tokens = futures_util::future::join_all(uses).await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(
        app.db
            .value::<i64>("SELECT count(*) FROM refresh_tokens")
            .await,
        2
    );
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_dies_thirty_days_after_its_last_rotation() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.advance_seconds(29 * 86_400);
    let pair = refresh(&app, &user.refresh_token).await.expect(200);
    app.advance_seconds(30 * 86_400 + 1);
    refresh(&app, &token_of(&pair))
        .await
        .problem(401, "invalid-refresh-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_the_family_however_often() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let next = token_of(&refresh(&app, &user.refresh_token).await.expect(200));
    for token in [next.as_str(), next.as_str(), "unknown", ""] {
        app.post("/auth/logout", &json!({"refresh_token": token}))
            .await
            .expect(204);
    }
    refresh(&app, &next)
        .await
        .problem(401, "invalid-refresh-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tokens_of_ours_that_still_hold_get_in() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let header = jsonwebtoken::decode_header(&user.token).unwrap();
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(&user.token)
        .unwrap()
        .claims;
    let forged = |algorithm, secret: &str, claims: &Value| {
        let header = Header {
            alg: algorithm,
            ..header.clone()
        };
        jsonwebtoken::encode(
            &header,
            claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .unwrap()
    };
    let with = |token: String| User {
        app: &app,
        id: user.id,
        email: String::new(),
        token,
        refresh_token: String::new(),
    };
    with(forged(Algorithm::HS256, JWT_SECRET, &claims))
        .get("/auth/me")
        .await
        .expect(200);
    let mut expired = claims.clone();
    expired["exp"] = json!(claims["iat"].as_i64().unwrap() - 6);
    let mut foreign = claims.clone();
    foreign["iss"] = json!("someone");
    let mut eternal = claims.clone();
    eternal.as_object_mut().unwrap().remove("exp");
    let payload = user.token.split('.').nth(1).unwrap();
    for bad in [
        forged(Algorithm::HS384, JWT_SECRET, &claims),
        forged(
            Algorithm::HS256,
            "some other key that is long enough",
            &claims,
        ),
        forged(Algorithm::HS256, JWT_SECRET, &expired),
        forged(Algorithm::HS256, JWT_SECRET, &foreign),
        forged(Algorithm::HS256, JWT_SECRET, &eternal),
        named_otherwise("RS256", header.kid.as_deref(), &claims),
        named_otherwise("ES256", header.kid.as_deref(), &claims),
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."),
        user.refresh_token.clone(),
        String::new(),
    ] {
        let answer = with(bad).get("/auth/me").await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    app.get("/auth/me").await.problem(401, "unauthorized");
    app.advance_seconds(86_400 + 10);
    user.get("/auth/me").await.problem(401, "unauthorized");
}

/// Signed with our secret by HS256, whatever its header says: a verifier that believes the header takes the secret
/// for a key of that algorithm.
fn named_otherwise(algorithm: &str, kid: Option<&str>, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": algorithm, "typ": "JWT", "kid": kid});
    let signed = format!("{}.{}", part(&header), part(claims));
    let mut hmac = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).unwrap();
    hmac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes())
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_that_share_seventy_two_bytes_are_not_the_same() {
    let app = TestApp::start().await;
    let whole = "x".repeat(72);
    let register = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        app.post("/auth/register", &body).await
    };
    let long = register("a@example.com", &format!("{whole}y")).await;
    long.problem(422, "validation-failed");
    register("a@example.com", &whole).await.expect(201);
    for other in [format!("{whole}y"), format!("{whole}z"), "x".repeat(71)] {
        app.login("a@example.com", &other)
            .await
            .problem(401, "invalid-credentials");
    }
    app.login("a@example.com", &whole).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_a_raised_epoch_and_a_deletion_end_tokens_at_once() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.get("/auth/me").await.expect(200);
    app.db.execute("UPDATE users SET token_epoch = 1").await;
    user.get("/services").await.problem(401, "unauthorized");
    user.service_refused().await;
    app.db
        .execute("UPDATE users SET token_epoch = 0, locked_at = now()")
        .await;
    user.get("/auth/me").await.problem(401, "unauthorized");
    refresh(&app, &user.refresh_token)
        .await
        .problem(401, "invalid-refresh-token");
    app.login(&user.email, PASSWORD)
        .await
        .problem(401, "invalid-credentials");
    app.db.execute("DELETE FROM users").await;
    user.get("/auth/me").await.problem(401, "unauthorized");
}

impl User<'_> {
    pub(crate) async fn service_refused(&self) {
        let good = json!({"name": "a", "url": "https://a.example.com/"});
        self.create(&good).await.problem(401, "unauthorized");
        self.create(&json!({})).await.problem(401, "unauthorized");
    }
}
