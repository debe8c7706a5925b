use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use models::id::UserId;
use runtime::env::KeyPair;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Tokens;

const SECRET: &str = "the-first-key-of-this-test-is-long-enough";
const OTHER: &str = "another-key-of-this-test-is-long-enough-too";

fn tokens(current: &str, previous: Option<&str>) -> Tokens {
    let keys = KeyPair {
        current: current.into(),
        previous: previous.map(Into::into),
    };
    Tokens::new(&keys, 24)
}

fn now() -> DateTime<Utc> {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "pulsemon", "aud": "pulsemon-api", "sub": Uuid::nil(), "iat": now().timestamp(),
        "exp": now().timestamp() + 60, "jti": Uuid::nil(), "epoch": 0,
    })
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(tokens(SECRET, None).current.id);
    jsonwebtoken::encode(
        &header,
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap()
}

#[test]
fn a_token_holds_for_its_life_and_five_seconds() {
    let tokens = tokens(SECRET, None);
    let user = UserId(Uuid::now_v7());
    let token = tokens.issue(user, 7, Uuid::nil(), now()).unwrap();
    let claims = tokens.verify(&token, now()).unwrap();
    assert_eq!((claims.sub, claims.epoch), (user, 7));
    let after = |seconds: i64| now() + TimeDelta::seconds(86_400 + seconds);
    assert!(tokens.verify(&token, after(4)).is_ok());
    assert!(tokens.verify(&token, after(5)).is_err());
    assert!(
        tokens
            .verify(&token, now() - TimeDelta::seconds(6))
            .is_err()
    );
}

#[test]
fn only_hs256_by_our_key_with_every_claim_gets_in() {
    let tokens = tokens(SECRET, None);
    let good = signed(Algorithm::HS256, SECRET, &claims());
    assert!(tokens.verify(&good, now()).is_ok());
    assert!(
        tokens
            .verify(&signed(Algorithm::HS384, SECRET, &claims()), now())
            .is_err()
    );
    assert!(
        tokens
            .verify(&signed(Algorithm::HS512, SECRET, &claims()), now())
            .is_err()
    );
    assert!(
        tokens
            .verify(&signed(Algorithm::HS256, OTHER, &claims()), now())
            .is_err()
    );
    for claim in ["iss", "aud", "sub", "iat", "exp", "jti", "epoch"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(claim);
        let token = signed(Algorithm::HS256, SECRET, &without);
        assert!(tokens.verify(&token, now()).is_err(), "without {claim}");
    }
    for (claim, value) in [
        ("iss", json!("someone")),
        ("aud", json!("elsewhere")),
        ("exp", json!(now().timestamp() - 6)),
    ] {
        let mut wrong = claims();
        wrong[claim] = value;
        let token = signed(Algorithm::HS256, SECRET, &wrong);
        assert!(tokens.verify(&token, now()).is_err(), "wrong {claim}");
    }
}

#[test]
fn a_token_without_a_signature_never_gets_in() {
    let tokens = tokens(SECRET, None);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = &tokens.current.id;
    for alg in ["none", "None", "NONE", "HS256"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": kid});
        let token = format!("{}.{}.", part(&header), part(&claims()));
        assert!(tokens.verify(&token, now()).is_err(), "{alg}");
    }
    for garbage in ["", ".", "..", "a.b.c", "Bearer"] {
        assert!(tokens.verify(garbage, now()).is_err());
    }
}

#[test]
fn keys_can_be_changed_without_a_break() {
    let before = tokens(SECRET, None);
    let token = before
        .issue(UserId(Uuid::nil()), 0, Uuid::nil(), now())
        .unwrap();
    assert!(tokens(OTHER, Some(SECRET)).verify(&token, now()).is_ok());
    assert!(tokens(OTHER, None).verify(&token, now()).is_err());
}

#[test]
fn a_token_found_good_vouches_for_no_other() {
    let tokens = tokens(SECRET, None);
    let good = signed(Algorithm::HS256, SECRET, &claims());
    let read = tokens.verify(&good, now()).unwrap();
    assert_eq!(tokens.verify(&good, now()).unwrap(), read);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut others = claims();
    others["sub"] = json!(Uuid::max());
    let others = signed(Algorithm::HS256, OTHER, &others);
    for forged in [
        format!("{head}."),
        format!("{}.{signature}", others.rsplit_once('.').unwrap().0),
        format!("{good}A"),
        others,
    ] {
        assert!(tokens.verify(&forged, now()).is_err(), "{forged}");
    }
}

#[test]
fn a_signature_is_looked_at_once() {
    let tokens = tokens(SECRET, None);
    let token = signed(Algorithm::HS256, SECRET, &claims());
    let first = tokens.verify(&token, now()).unwrap();
    assert!(Arc::ptr_eq(&first, &tokens.verify(&token, now()).unwrap()));
}
