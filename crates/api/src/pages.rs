//! The small pages that links in mails lead to.
//!
//! Whole in themselves: no script, no asset of anybody's, a style that the page's own policy names by its hash. To look
//! at one changes nothing, since scanners of mail follow links too; its button posts the token.

use std::sync::LazyLock;

use actix_web::http::{StatusCode, header};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use models::mail_token;
use sha2::{Digest as _, Sha256};

use crate::error::Problem;
use crate::problems;
use crate::reply::{Answer, Reply};

const STYLE: &str = "\
body{margin:0;padding:2rem 1rem;background:#f2f4f7;color:#1b2027;\
font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{max-width:28rem;margin:0 auto;padding:1.5rem;background:#fff;border-radius:.5rem}\
h1{margin:0 0 .5rem;font-size:1.3rem}\
label,input,button{display:block;box-sizing:border-box;width:100%;font:inherit}\
input{margin:.25rem 0 1rem;padding:.6rem;border:1px solid #8a94a3;border-radius:.3rem}\
button{padding:.7rem;border:0;border-radius:.3rem;background:#1a56c4;color:#fff;font-weight:600}\
.complaint{color:#c62828}\
@media(prefers-color-scheme:dark){body{background:#111418;color:#e8eaed}main{background:#1b2027}\
input{background:#111418;color:inherit}.complaint{color:#ff8a80}}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// What a page says.
#[derive(Debug)]
struct Page {
    title: &'static str,
    lead: &'static str,
    button: &'static str,
}

/// What its button posts.
struct Form<'a> {
    /// Beside the page itself, whatever it is mounted under.
    action: &'static str,
    token: &'a str,
    asks_password: bool,
    complaint: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Html<'a> {
    page: &'a Page,
    form: Option<Form<'a>>,
    style: &'static str,
}

/// What a mailed link leads to.
#[derive(Debug)]
pub(crate) struct Step {
    action: &'static str,
    asks_password: bool,
    ask: Page,
    done: Page,
}

/// `/auth/verify`
pub(crate) static VERIFY: Step = Step {
    action: "verify",
    asks_password: false,
    ask: Page {
        title: "Confirm your e-mail address",
        lead: "One click, and it is known to be yours. Did somebody else choose the account's password? Then do not \
               confirm, but say where you log in that you have forgotten it.",
        button: "Confirm",
    },
    done: Page {
        title: "Your address is confirmed",
        lead: "You can log in now, and close this page.",
        button: "",
    },
};

/// `/auth/reset-password`
pub(crate) static RESET: Step = Step {
    action: "reset-password",
    asks_password: true,
    ask: Page {
        title: "Choose a new password",
        lead: "It ends every session of your account and revokes every API key.",
        button: "Set the password",
    },
    done: Page {
        title: "Your password is set",
        lead: "Log in with it. Every session has ended and every API key is revoked: make new ones.",
        button: "",
    },
};

/// `/auth/confirm-email`
pub(crate) static CONFIRM: Step = Step {
    action: "confirm-email",
    asks_password: false,
    ask: Page {
        title: "Move your account to another address",
        lead: "It moves when both addresses, the old one and the new one, have confirmed.",
        button: "Confirm",
    },
    done: Page {
        title: "Confirmed",
        lead: "Your account moves as soon as both addresses have confirmed.",
        button: "",
    },
};

static BROKEN: Page = Page {
    title: "This link does not work",
    lead: "It was used, has expired, or a newer mail has taken its place. Ask for a new one, and make sure that the \
           whole link was opened.",
    button: "",
};

static UNREADABLE: Page = Page {
    title: "Nothing was changed",
    lead: "What your browser sent is not what this form sends. Open the link of your mail again, and use its button.",
    button: "",
};

static TAKEN: Page = Page {
    title: "This address has another account",
    lead: "Nothing was changed. Ask for a move to another address.",
    button: "",
};

impl Step {
    /// The page that asks; for what can not be a token, one that says so.
    ///
    /// # Errors
    /// Never: writing to memory does not fail.
    pub(crate) fn ask(&self, token: &str) -> Answer {
        self.form(StatusCode::OK, token, None)
    }

    /// The same after something typed was not right.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn again(&self, token: &str, complaint: &str) -> Answer {
        self.form(StatusCode::UNPROCESSABLE_ENTITY, token, Some(complaint))
    }

    /// The page that says it is done.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn done(&self) -> Answer {
        reply(StatusCode::OK, &self.done, None)
    }

    fn form(&self, status: StatusCode, token: &str, complaint: Option<&str>) -> Answer {
        if mail_token::hash(token).is_none() {
            return reply(status, &BROKEN, None);
        }
        let form = Form {
            action: self.action,
            token,
            asks_password: self.asks_password,
            complaint,
        };
        reply(status, &self.ask, Some(form))
    }
}

/// What a person sees instead of `problem`; what no form is to blame for (429, 503) stays as it is.
///
/// # Errors
/// That one.
pub(crate) fn instead_of(problem: Problem) -> Answer {
    let parts = problem.parts();
    if parts.kind == &problems::INVALID_LINK {
        return reply(StatusCode::BAD_REQUEST, &BROKEN, None);
    }
    match parts.status {
        StatusCode::CONFLICT => reply(StatusCode::CONFLICT, &TAKEN, None),
        status @ (StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY) => reply(status, &UNREADABLE, None),
        _ => Err(problem),
    }
}

fn reply(status: StatusCode, page: &Page, form: Option<Form<'_>>) -> Answer {
    let html = Html {
        page,
        form,
        style: STYLE,
    };
    let html = html.render().map_err(Problem::internal)?;
    Reply::bytes(status, "text/html; charset=utf-8", html.into_bytes())
        .with(header::CONTENT_SECURITY_POLICY, POLICY.as_str())
}
