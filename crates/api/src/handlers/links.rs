//! Where the links of mails lead: a page to look at, and the post that uses the token up.

use actix_web::web::Data;
use secrecy::SecretString;

use super::Query;
use crate::accounts::{self, Moved};
use crate::app::Api;
use crate::auth::{Origin, account};
use crate::error::Problem;
use crate::input::{self, Fields, Submission};
use crate::pages::{self, Step};
use crate::reply::{Answer, Reply};
use crate::views::account::{AddressConfirmed, Verified};

/// `GET /auth/verify`
///
/// # Errors
/// 400.
pub(crate) async fn verify_page(Query(fields): Query) -> Answer {
    page(fields, &pages::VERIFY)
}

/// `GET /auth/reset-password`
///
/// # Errors
/// 400.
pub(crate) async fn reset_page(Query(fields): Query) -> Answer {
    page(fields, &pages::RESET)
}

/// `GET /auth/confirm-email`
///
/// # Errors
/// 400.
pub(crate) async fn confirm_page(Query(fields): Query) -> Answer {
    page(fields, &pages::CONFIRM)
}

/// Other fields are let be: those who count clicks add theirs.
fn page(mut fields: Fields, step: &Step) -> Answer {
    let token = fields.optional("token", |node| input::text(node).map(str::to_owned));
    step.ask(&token.value().unwrap_or_default())
}

/// `POST /auth/verify`
///
/// # Errors
/// 422, 400 (`invalid-link`).
pub(crate) async fn verify(api: Data<Api>, origin: Origin, sent: Submission) -> Answer {
    let as_form = sent.as_form;
    let done = verified(&api, origin, sent).await;
    shown(done, as_form.then_some(&pages::VERIFY), |()| {
        Reply::ok(&Verified { is_verified: true })
    })
}

async fn verified(api: &Data<Api>, origin: Origin, sent: Submission) -> Result<(), Problem> {
    let mut fields = sent.fields?;
    let token = token(&mut fields);
    fields.finish()?;
    let app = Data::clone(api);
    api.work(async move {
        app.require_schema()?;
        accounts::verify(&app, &token, &origin).await
    })
    .await
}

/// `POST /auth/reset-password`
///
/// # Errors
/// 422, 400 (`invalid-link`), 503.
pub(crate) async fn reset(api: Data<Api>, origin: Origin, sent: Submission) -> Answer {
    let step = sent.as_form.then_some(&pages::RESET);
    let mut fields = match sent.fields {
        Ok(fields) => fields,
        Err(problem) => return shown(Err(problem), step, |()| Ok(Reply::no_content())),
    };
    let token = token(&mut fields);
    let password = fields.required("new_password", account::new_password);
    if let Err(problem) = fields.finish() {
        return complained(problem, step, &token);
    }
    let password: SecretString = password.unwrap_or_default();
    let app = Data::clone(&api);
    let done = api.work(async move {
        app.require_schema()?;
        accounts::reset_password(&app, &token, password, &origin).await
    });
    shown(done.await, step, |()| Ok(Reply::no_content()))
}

/// `POST /auth/confirm-email`
///
/// # Errors
/// 422, 400 (`invalid-link`), 409 (`duplicate-email`).
pub(crate) async fn confirm(api: Data<Api>, origin: Origin, sent: Submission) -> Answer {
    let as_form = sent.as_form;
    let moved = confirmed(&api, origin, sent).await;
    shown(moved, as_form.then_some(&pages::CONFIRM), |moved| {
        Reply::ok(&AddressConfirmed {
            email: moved.email,
            is_changed: moved.is_changed,
        })
    })
}

async fn confirmed(api: &Data<Api>, origin: Origin, sent: Submission) -> Result<Moved, Problem> {
    let mut fields = sent.fields?;
    let token = token(&mut fields);
    fields.finish()?;
    let app = Data::clone(api);
    api.work(async move {
        app.require_schema()?;
        accounts::confirm_address(&app, &token, &origin).await
    })
    .await
}

fn token(fields: &mut Fields) -> String {
    let token = fields.required("token", |node| input::text(node).map(str::to_owned));
    token.unwrap_or_default()
}

/// A page where a person waits before a browser, `reply` for a program.
fn shown<T>(
    done: Result<T, Problem>,
    step: Option<&Step>,
    reply: impl FnOnce(T) -> Answer,
) -> Answer {
    match (done, step) {
        (Ok(_), Some(step)) => step.done(),
        (Ok(done), None) => reply(done),
        (Err(problem), Some(_)) => pages::instead_of(problem),
        (Err(problem), None) => Err(problem),
    }
}

/// A person gets the form again, where it was the password alone that was wrong.
fn complained(problem: Problem, step: Option<&Step>, token: &str) -> Answer {
    let password = match problem.parts().errors.as_slice() {
        [one] if one.field == "new_password" => Some(format!("The password {}.", one.message)),
        _ => None,
    };
    match (password, step) {
        (Some(complaint), Some(step)) => step.again(token, &complaint),
        _ => shown(Err(problem), step, |()| Ok(Reply::no_content())),
    }
}
