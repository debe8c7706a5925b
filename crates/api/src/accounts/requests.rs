//! Mails that anybody may ask for by an address: another link to confirm it, and one for a forgotten password.
//!
//! The answer says nothing of the account, neither by its words nor by its time: for an address without one the same
//! statements run and write nothing, and the commit waits for no disk. Nor does it say whether the address had its mails of
//! this hour: then the link of the last one works.

use chrono::SubsecRound as _;
use db::users::User;
use db::{Conn, audit, transaction, users};
use models::account_mail::AccountMail;
use models::audit::AuditEvent;
use uuid::Uuid;

use super::mail;
use crate::app::Api;
use crate::auth::Origin;
use crate::auth::account::Email;
use crate::error::Problem;

/// Another link to confirm the address of an account that has not.
///
/// # Errors
/// The database's failure.
pub(crate) async fn ask_for_verification(api: &Api, email: &Email) -> Result<(), Problem> {
    let may = |user: &User| !user.is_verified && user.locked_at.is_none();
    ask(api, email, (&AccountMail::VerifyEmail, None), may).await
}

/// A link to choose a new password.
///
/// # Errors
/// The database's failure.
pub(crate) async fn ask_for_reset(
    api: &Api,
    email: &Email,
    origin: &Origin,
) -> Result<(), Problem> {
    let may = |user: &User| user.locked_at.is_none();
    ask(api, email, (&AccountMail::ResetPassword, Some(origin)), may).await
}

async fn ask(
    api: &Api,
    email: &Email,
    (mail, recorded): (&AccountMail, Option<&Origin>),
    may: impl Fn(&User) -> bool + Sync + Send,
) -> Result<(), Problem> {
    let now = api.clock.now().trunc_subsecs(6);
    let delivery = api
        .db
        .transaction(async |conn: &mut Conn| {
            transaction::commit_at_once(conn).await?;
            let user = users::by_email_key(conn, &email.key).await?;
            let user = user.filter(&may);
            let address = (user.as_ref().map(|user| user.id), email.key.as_str());
            let is_due = mail::is_due(conn, api, address, mail, now).await?;
            let user = user.filter(|_| is_due);
            if let (Some(user), Some(origin)) = (&user, recorded) {
                let event = origin.event(AuditEvent::PasswordResetRequested, user.id, now);
                audit::record(conn, &event).await?;
            }
            let to = match &user {
                Some(user) => (user.id, user.email.as_str()),
                None => (Uuid::now_v7(), email.shown.as_str()), // nobody
            };
            mail::post(conn, &api.mail_key, to, mail, now).await
        })
        .await?;
    api.nudges.mail(delivery);
    Ok(())
}
