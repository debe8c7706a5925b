//! Where the links of mails lead: a page to look at, and the post that uses the token up.

use actix_web::web::Data;
use secrecy::SecretString;

use super::Query;
use crate::accounts;
use crate::app::Api;
use crate::auth::{Origin, account};
use crate::error::Problem;
use crate::input::{self, Fields, Submission};
use crate::pages::{self, Step};
use crate::problems;
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
    let Submission {
        mut fields,
        as_form,
    } = sent;
    let token = token(&mut fields);
    fields.finish()?;
    let app = Data::clone(&api);
    let done = api.work(async move {
        app.require_schema()?;
        accounts::verify(&app, &token, &origin).await
    });
    answer(done.await, as_form, &pages::VERIFY, |()| {
        Reply::ok(&Verified { is_verified: true })
    })
}

/// `POST /auth/reset-password`
///
/// # Errors
/// 422, 400 (`invalid-link`), 503.
pub(crate) async fn reset(api: Data<Api>, origin: Origin, sent: Submission) -> Answer {
    let Submission {
        mut fields,
        as_form,
    } = sent;
    let token = token(&mut fields);
    let password = fields.required("new_password", account::new_password);
    if let Err(problem) = fields.finish() {
        return complained(problem, as_form, &token);
    }
    let password: SecretString = password.unwrap_or_default();
    let app = Data::clone(&api);
    let done = api.work(async move {
        app.require_schema()?;
        accounts::reset_password(&app, &token, password, &origin).await
    });
    answer(done.await, as_form, &pages::RESET, |()| {
        Ok(Reply::no_content())
    })
}

/// `POST /auth/confirm-email`
///
/// # Errors
/// 422, 400 (`invalid-link`), 409 (`duplicate-email`).
pub(crate) async fn confirm(api: Data<Api>, origin: Origin, sent: Submission) -> Answer {
    let Submission {
        mut fields,
        as_form,
    } = sent;
    let token = token(&mut fields);
    fields.finish()?;
    let app = Data::clone(&api);
    let moved = api.work(async move {
        app.require_schema()?;
        accounts::confirm_address(&app, &token, &origin).await
    });
    answer(moved.await, as_form, &pages::CONFIRM, |moved| {
        Reply::ok(&AddressConfirmed {
            email: moved.email,
            is_changed: moved.is_changed,
        })
    })
}

fn token(fields: &mut Fields) -> String {
    let token = fields.required("token", |node| input::text(node).map(str::to_owned));
    token.unwrap_or_default()
}

/// A page for the person who posted a form, JSON for anybody else.
fn answer<T>(
    done: Result<T, Problem>,
    as_form: bool,
    step: &Step,
    json: impl FnOnce(T) -> Answer,
) -> Answer {
    match done {
        Ok(_) if as_form => step.done(),
        Ok(done) => json(done),
        Err(problem) if as_form && problem.parts().kind == &problems::INVALID_LINK => {
            pages::broken()
        }
        Err(problem) => Err(problem),
    }
}

/// A person gets the form again, with what was wrong with the password.
fn complained(problem: Problem, as_form: bool, token: &str) -> Answer {
    let password = problem
        .parts()
        .errors
        .iter()
        .find(|error| error.field == "new_password");
    match password.filter(|_| as_form) {
        Some(error) => pages::RESET.again(token, &format!("The password {}.", error.message)),
        None => Err(problem),
    }
}
