//! A new account.
//!
//! Where addresses have to be confirmed, nobody learns from the answer whether an address has an account: its owner is
//! told by mail instead. That mail carries no link that confirms: else whoever registers with a stranger's address
//! would have an account in his name as soon as the stranger follows it. A new password, which the mail names as the
//! way in, confirms the address and locks the other one out. Nor does a user name tell: the one that was given with a known
//! address is taken like a new account's, for as long as the address' owner is there. There are as many of them as there
//! could be accounts: each is an account route's request of its client, and a hash.

use db::users::{self, User};
use db::{Conn, Failure, QueryError, audit, usernames};
use models::account_mail::AccountMail;
use models::audit::AuditEvent;

use super::{mail, pace};
use crate::app::Api;
use crate::auth::Origin;
use crate::error::Problem;
use crate::problems;

/// Adds an account.
///
/// # Errors
/// 409 (`duplicate-username`; `duplicate-email` where addresses need not be confirmed), or the database's failure.
pub(crate) async fn register(api: &Api, user: &User, origin: &Origin) -> Result<(), Problem> {
    if api.config.auth.verification.is_required() {
        return pace::even(register_unconfirmed(api, user, origin)).await;
    }
    api.db
        .transaction(async |conn: &mut Conn| {
            users::insert(conn, user).await.map_err(taken)?;
            record(conn, user, origin).await
        })
        .await
}

async fn register_unconfirmed(api: &Api, user: &User, origin: &Origin) -> Result<(), Problem> {
    let delivery = api
        .db
        .transaction(async |conn: &mut Conn| {
            // Before the address: its answer must not depend on that.
            if let Some(name) = &user.username_key
                && usernames::is_taken(conn, name).await?
            {
                return Err(duplicate_username());
            }
            let now = user.created_at;
            if users::insert_new(conn, user).await.map_err(taken)? {
                record(conn, user, origin).await?;
                let address = (Some(user.id), user.email_key.as_str());
                // A new account has no link yet: it is due.
                mail::is_due(conn, api, address, &AccountMail::VerifyEmail, now).await?;
                let to = (user.id, user.email.as_str());
                return mail::post(conn, &api.mail_key, to, &AccountMail::VerifyEmail, now).await;
            }
            let owner = users::by_email_key(conn, &user.email_key).await?;
            // As gone as a new account's would be: a name that stays free would tell that this is none.
            if let (Some(name), Some(owner)) = (&user.username_key, &owner)
                && !usernames::take(conn, name, owner.id).await?
            {
                return Err(duplicate_username());
            }
            let address = (
                owner.as_ref().map(|owner| owner.id),
                user.email_key.as_str(),
            );
            let told = &AccountMail::AddressKnown;
            let is_due = mail::is_due(conn, api, address, told, now).await?;
            let owner = owner.filter(|_| is_due);
            let owner = owner.as_ref().unwrap_or(user); // gone again, or told before: nobody is told
            let to = (owner.id, owner.email.as_str());
            mail::post(conn, &api.mail_key, to, told, now).await
        })
        .await?;
    api.nudges.mail(delivery);
    Ok(())
}

async fn record(conn: &mut Conn, user: &User, origin: &Origin) -> Result<(), Problem> {
    let event = origin.event(AuditEvent::Registered, user.id, user.created_at);
    Ok(audit::record(conn, &event).await?)
}

/// The index decides, not a question before.
pub(super) fn taken(error: QueryError) -> Problem {
    let failure = Failure::of(&error);
    if failure.is_constraint(users::EMAIL_TAKEN) {
        Problem::new(
            &problems::DUPLICATE_EMAIL,
            "Log in, or use another address.",
        )
    } else if failure.is_constraint(users::USERNAME_TAKEN) {
        duplicate_username()
    } else {
        error.into()
    }
}

fn duplicate_username() -> Problem {
    Problem::new(&problems::DUPLICATE_USERNAME, "Choose another user name.")
}
