//! `auth`: accounts and tokens.

use actix_web::http::StatusCode;
use serde_json::json;

use super::examples;
use super::operation::Operation;
use crate::problems;
use crate::views::account::{Me, Registered, SessionList, TokenPair};

const TAG: &str = "auth";

pub(super) fn operations() -> Vec<Operation> {
    let credentials = json!({"email": "ann@example.com", "password": "correct horse battery"});
    let token = json!({"refresh_token": "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"});
    vec![
        Operation::new(("post", "/auth/register"), "register", TAG, "Open an account")
            .public()
            .body("NewAccount", &json!({"email": "ann@example.com", "password": "correct horse battery", "username": "Ann"}))
            .answer::<Registered>(StatusCode::CREATED, "The account.", &examples::registered())
            .problem(&problems::DUPLICATE_EMAIL)
            .problem(&problems::DUPLICATE_USERNAME)
            .stored(),
        Operation::new(("post", "/auth/login"), "login", TAG, "Log in")
            .about("A wrong password and an unknown address get the same answer in the same time.")
            .public()
            .body("Credentials", &credentials)
            .answer::<TokenPair>(StatusCode::OK, "An access token, and a refresh token for the next.", &examples::tokens())
            .problem(&problems::INVALID_CREDENTIALS)
            .stored(),
        Operation::new(("post", "/auth/refresh"), "refresh", TAG, "Exchange a refresh token for a new pair")
            .about(
                "The token is spent by it. One that comes again within 10 s gets the same successor (the reply may have been lost); \
                 later it ends its whole family.",
            )
            .public()
            .body("RefreshToken", &token)
            .answer::<TokenPair>(StatusCode::OK, "A new pair.", &examples::tokens())
            .problem(&problems::INVALID_REFRESH_TOKEN)
            .stored(),
        Operation::new(("post", "/auth/logout"), "logout", TAG, "Log out")
            .about("Ends the token's whole family. A token that holds no more is no failure.")
            .public()
            .body("RefreshToken", &token)
            .plain(StatusCode::NO_CONTENT, "It is over.", None)
            .stored(),
        Operation::new(("get", "/auth/me"), "me", TAG, "Whose token this is")
            .answer::<Me>(StatusCode::OK, "The account.", &examples::me())
            .stored(),
        Operation::new(("get", "/auth/sessions"), "sessions", TAG, "Where you are logged in")
            .answer::<SessionList>(StatusCode::OK, "All sessions, the last used first.", &examples::sessions())
            .stored(),
        Operation::new(("delete", "/auth/sessions/{id}"), "endSession", TAG, "Log out somewhere else")
            .about("Its tokens end at once.")
            .plain(StatusCode::NO_CONTENT, "It is over.", None)
            .stored(),
        Operation::new(("post", "/auth/logout-all"), "logoutAll", TAG, "Log out everywhere")
            .about("Every token of the account ends at once, this one too.")
            .without_fields()
            .plain(StatusCode::NO_CONTENT, "Everything is over.", None)
            .stored(),
        Operation::new(("post", "/auth/change-password"), "changePassword", TAG, "Change the password")
            .about("Ends every other session at once.")
            .body("PasswordChange", &json!({"current_password": "correct horse battery", "new_password": "staple of horse"}))
            .answer::<TokenPair>(StatusCode::OK, "A new pair for this session.", &examples::tokens())
            .stored(),
    ]
}
