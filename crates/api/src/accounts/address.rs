//! An account moves to another address: when both have confirmed.

use chrono::{SubsecRound as _, TimeDelta};
use db::email_changes::{self, EmailChange};
use db::{Conn, audit, mail_tokens, users};
use models::Time;
use models::account_mail::{AccountMail, LinkPurpose};
use models::audit::AuditEvent;
use models::id::{DeliveryId, UserId};
use uuid::Uuid;

use super::{links, mail, pace, register};
use crate::app::Api;
use crate::auth::account::Email;
use crate::auth::{Bearer, Origin};
use crate::error::{FieldError, Problem};
use crate::limits;
use crate::problems;

/// What is wrong with an address to move to that is the account's.
pub(crate) const SAME_ADDRESS: &str = "is your address already";
/// As long as its links work.
const LIFE: TimeDelta = LinkPurpose::TakeAddress.life();
const BOTH: [LinkPurpose; 2] = [LinkPurpose::LeaveAddress, LinkPurpose::TakeAddress];

/// Where an account is after a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Its address.
    pub(crate) email: String,
    /// Both have confirmed: it has moved.
    pub(crate) is_changed: bool,
}

/// Asks for a move, and mails both addresses. One that has an account already gets another mail, where addresses have
/// to be confirmed, and neither the answer nor its time tells.
///
/// # Errors
/// 401, 422 for the same address, 409 (`duplicate-email`) where addresses need not be confirmed, 429.
pub(crate) async fn change_address(
    api: &Api,
    bearer: &Bearer,
    email: &Email,
    origin: &Origin,
) -> Result<(), Problem> {
    let now = api.clock.now().trunc_subsecs(6);
    let asked = api.db.transaction(async |conn: &mut Conn| {
        let user = bearer.caller_locked(conn).await?.user.as_uuid();
        let event = origin.event(AuditEvent::EmailChangeRequested, user, now);
        audit::record(conn, &event).await?;
        ask(conn, api, user, email, now).await
    });
    for delivery in pace::even(asked).await? {
        api.nudges.mail(delivery);
    }
    Ok(())
}

async fn ask(
    conn: &mut Conn,
    api: &Api,
    user: Uuid,
    new: &Email,
    now: Time,
) -> Result<[DeliveryId; 2], Problem> {
    let account = users::account(conn, user).await?;
    let old = account.ok_or_else(Problem::unauthorized)?.email;
    let owner = users::by_email_key(conn, &new.key).await?;
    if owner.as_ref().is_some_and(|owner| owner.id == user) {
        return Err(Problem::invalid(vec![FieldError {
            field: "email".to_owned(),
            message: SAME_ADDRESS.to_owned(),
        }]));
    }
    if owner.is_some() && !api.config.auth.verification.is_required() {
        return Err(Problem::new(
            &problems::DUPLICATE_EMAIL,
            "Use another address.",
        ));
    }
    limits::spend_move(conn, api, UserId(user), &new.key, now).await?;
    let change = EmailChange {
        user_id: user,
        new_email: new.shown.clone(),
        new_email_key: new.key.clone(),
        requested_at: now,
        expires_at: now + LIFE,
        old_confirmed_at: None,
        new_confirmed_at: None,
    };
    email_changes::ask(conn, &change).await?;
    mail_tokens::void(conn, user, &links::names(&BOTH)).await?;
    let leave = AccountMail::LeaveAddress {
        new_email: new.shown.clone(),
    };
    let to_old = mail::post(conn, &api.mail_key, (user, &old), &leave, now).await?;
    let told = AccountMail::AddressKnown;
    let owner_id = owner.as_ref().map(|owner| owner.id);
    let is_due = mail::is_due(conn, api, (owner_id, &new.key), &told, now).await?;
    let (to, mail) = match &owner {
        None => ((user, new.shown.as_str()), AccountMail::TakeAddress),
        Some(owner) if is_due => ((owner.id, owner.email.as_str()), told),
        Some(owner) => ((Uuid::now_v7(), owner.email.as_str()), told), // told before: nobody is
    };
    let to_new = mail::post(conn, &api.mail_key, to, &mail, now).await?;
    Ok([to_old, to_new])
}

/// Uses the link of one of the two mails; with the second the account moves, and links that were mailed to the old
/// address are void.
///
/// # Errors
/// 400 (`invalid-link`), 409 (`duplicate-email`) when the address got an account meanwhile.
pub(crate) async fn confirm_address(
    api: &Api,
    token: &str,
    origin: &Origin,
) -> Result<Moved, Problem> {
    let now = api.clock.now().trunc_subsecs(6);
    api.db
        .transaction(async |conn: &mut Conn| {
            let used = links::take(conn, token, &BOTH, now).await?;
            let mut change = email_changes::find(conn, used.user, now)
                .await?
                .ok_or_else(Problem::invalid_link)?;
            match used.purpose {
                LinkPurpose::LeaveAddress => change.old_confirmed_at = Some(now),
                _ => change.new_confirmed_at = Some(now),
            }
            if change.old_confirmed_at.is_none() || change.new_confirmed_at.is_none() {
                email_changes::confirm(conn, &change).await?;
                let account = users::account(conn, used.user).await?;
                let email = account.ok_or_else(Problem::invalid_link)?.email;
                return Ok(Moved {
                    email,
                    is_changed: false,
                });
            }
            let address = (change.new_email.as_str(), change.new_email_key.as_str());
            let moved = users::set_email(conn, used.user, address, now).await;
            moved.map_err(register::taken)?;
            email_changes::forget(conn, used.user).await?;
            mail_tokens::void(conn, used.user, &links::names(&LinkPurpose::ALL)).await?;
            let event = origin.event(AuditEvent::EmailChanged, used.user, now);
            audit::record(conn, &event).await?;
            Ok::<_, Problem>(Moved {
                email: change.new_email,
                is_changed: true,
            })
        })
        .await
}
