//! `auth`: accounts and tokens.

use actix_web::http::StatusCode;
use serde_json::json;

use super::examples;
use super::operation::Operation;
use crate::problems;
use crate::views::account::{AddressConfirmed, Me, Registered, SessionList, TokenPair, Verified};

const TAG: &str = "auth";
const FORM: &str = "Each link works once. A form is taken like JSON and gets a page.";

/// A page for people: it is looked at, and changes nothing.
fn page(route: (&'static str, &'static str), id: &'static str, summary: &'static str) -> Operation {
    Operation::new(route, id, TAG, summary)
        .about("Where the link of a mail leads. To look at it changes nothing, since scanners of mail follow links too.")
        .public()
        .query("token", "The token of the link.", &json!({"type": "string"}))
        .plain(StatusCode::OK, "The page.", Some("text/html"))
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = accounts();
    all.extend(changes());
    all.extend(sessions());
    all
}

/// How an account begins.
fn accounts() -> Vec<Operation> {
    let credentials = json!({"email": "ann@example.com", "password": "correct horse battery"});
    let address = json!({"email": "ann@example.com"});
    let link = json!({"token": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"});
    vec![
        Operation::new(("post", "/auth/register"), "register", TAG, "Open an account")
            .public()
            .about(
                "Where addresses have to be confirmed (`EMAIL_VERIFICATION=required`), an address that has an account gets the \
                 same answer as a new one, and its owner a mail, at most three an hour. While such an account waits for its confirmation, \
                 the same password gets another link to confirm; another one takes the account its password, until whoever reads \
                 its mail has chosen one by the link in it.",
            )
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
            .problem(&problems::EMAIL_NOT_VERIFIED)
            .stored(),
        page(("get", "/auth/verify"), "verifyPage", "A page whose button confirms an address"),
        Operation::new(("post", "/auth/verify"), "verify", TAG, "Confirm an address")
            .about(FORM)
            .public()
            .body("LinkToken", &link)
            .answer::<Verified>(StatusCode::OK, "It is confirmed.", &json!({"is_verified": true}))
            .problem(&problems::INVALID_LINK)
            .stored(),
        Operation::new(("post", "/auth/resend-verify"), "resendVerify", TAG, "Ask for another link to confirm an address")
            .about("The same answer whether or not there is an account, and whether or not it is confirmed. The newest link alone works, for 24 hours. \
                 An address gets three such mails an hour; asked for more, nothing is sent while the last one's link works.")
            .public()
            .body("Address", &address)
            .plain(StatusCode::ACCEPTED, "If there is anything to confirm, a mail is on its way.", None)
            .stored(),
    ]
}

/// What becomes of it.
fn changes() -> Vec<Operation> {
    let address = json!({"email": "ann@example.com"});
    let link = json!({"token": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"});
    vec![
        Operation::new(("post", "/auth/forgot-password"), "forgotPassword", TAG, "Ask for a link to choose a new password")
            .about(
                "The same answer in the same time whether or not there is an account. The newest link alone works, for 30 minutes. \
                 An address gets three such mails an hour; asked for more, nothing is sent while the last one's link works.",
            )
            .public()
            .body("Address", &address)
            .plain(StatusCode::ACCEPTED, "If there is an account, a mail is on its way.", None)
            .stored(),
        page(("get", "/auth/reset-password"), "resetPasswordPage", "A page to choose a new password"),
        Operation::new(("post", "/auth/reset-password"), "resetPassword", TAG, "Choose a new password by a mailed link")
            .about("Ends every session, revokes every API key, voids every other link, and confirms the address. A form is taken like JSON and gets a page.")
            .public()
            .body("PasswordReset", &json!({"token": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s", "new_password": "staple of horse"}))
            .plain(StatusCode::NO_CONTENT, "It is set.", None)
            .problem(&problems::INVALID_LINK)
            .stored(),
        Operation::new(("post", "/auth/change-email"), "changeEmail", TAG, "Move the account to another address")
            .about(
                "Mails both addresses; the account moves when both have followed their link, within 24 hours. A new password voids it. \
                 A taken address is told (409) only where addresses need not be confirmed. \
                 Three moves an hour to one address, whoever asks, and three of one account; then it is 429.",
            )
            .body("AddressChange", &json!({"password": "correct horse battery", "email": "ann@example.org"}))
            .plain(StatusCode::ACCEPTED, "Two mails are on their way.", None)
            .problem(&problems::DUPLICATE_EMAIL)
            .stored(),
        page(("get", "/auth/confirm-email"), "confirmEmailPage", "A page whose button confirms a move"),
        Operation::new(("post", "/auth/confirm-email"), "confirmEmail", TAG, "Confirm a move to another address")
            .about(FORM)
            .public()
            .body("LinkToken", &link)
            .answer::<AddressConfirmed>(
                StatusCode::OK,
                "It is confirmed; the second time it is done.",
                &json!({"email": "ann@example.org", "is_changed": true}),
            )
            .problem(&problems::INVALID_LINK)
            .problem(&problems::DUPLICATE_EMAIL)
            .stored(),
        Operation::new(("delete", "/auth/me"), "deleteAccount", TAG, "Delete the account")
            .about("Everything goes at once: services, sessions, keys, links; history follows in the background. The last admin who is not locked stays (409).")
            .body("Confirmation", &json!({"password": "correct horse battery"}))
            .plain(StatusCode::NO_CONTENT, "It is gone.", None)
            .problem(&problems::LAST_ADMIN)
            .stored(),
    ]
}

/// Where one is logged in.
fn sessions() -> Vec<Operation> {
    let token = json!({"refresh_token": "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"});
    vec![
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
            .about("An account has 100 sessions at most: a login beyond them ends the one that was not used for longest, without a word.")
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
            .about("Ends every other session at once; API keys go on. A few wrong passwords in 15 minutes, from wherever, and it is 429 until they are over.")
            .body("PasswordChange", &json!({"current_password": "correct horse battery", "new_password": "staple of horse"}))
            .answer::<TokenPair>(StatusCode::OK, "A new pair for this session.", &examples::tokens())
            .stored(),
    ]
}
