//! Asks for a mail: a row for alerters, and the token that its link stands for.

use db::Conn;
use db::deliveries::account::{self, Mail};
use db::mail_tokens::{self, MailToken};
use models::Time;
use models::account_mail::{AccountMail, LinkPurpose};
use models::id::DeliveryId;
use models::mail_token::{self, BYTES, TokenKey};
use uuid::Uuid;

use crate::app::Api;
use crate::error::Problem;
use crate::limits;

/// Writes a mail about `user`'s account to `address`; nudge alerters after the commit. About a user who is not there
/// nothing is written, by as many statements.
///
/// # Errors
/// The database's failure.
pub(super) async fn post(
    conn: &mut Conn,
    key: &TokenKey,
    (user, address): (Uuid, &str),
    mail: &AccountMail,
    now: Time,
) -> Result<DeliveryId, Problem> {
    let token_id = match mail.purpose() {
        Some(purpose) => Some(add_token(conn, key, user, purpose, now).await?),
        None => None,
    };
    let row = Mail {
        id: Uuid::now_v7(),
        user_id: user,
        recipient: address.to_owned(),
        facts: serde_json::to_value(mail).map_err(Problem::internal)?,
        token_id,
    };
    account::insert(conn, &row, now).await?;
    Ok(DeliveryId(row.id))
}

/// Whether `mail` is to go to an address now, which is counted: of each kind an address gets so many an hour. Beyond that
/// only where the link of the last one does not work any more; else who needs it has it, whoever asked. Without a `user`
/// it is not, by as many statements.
///
/// # Errors
/// The database's failure.
pub(super) async fn is_due(
    conn: &mut Conn,
    api: &Api,
    (user, email_key): (Option<Uuid>, &str),
    mail: &AccountMail,
    now: Time,
) -> Result<bool, Problem> {
    let kind = mail.purpose().map_or("without_link", LinkPurpose::as_str);
    let mails = u32::from(user.is_some());
    let is_within = limits::count_mail(conn, api, (kind, email_key), mails, now).await?;
    let has_link = match mail.purpose() {
        Some(purpose) => {
            let user = user.unwrap_or_else(Uuid::now_v7); // nobody
            mail_tokens::is_out(conn, user, purpose.as_str(), now).await?
        }
        None => true, // all that it says was said
    };
    Ok(user.is_some() && (is_within || !has_link))
}

/// Only its hash and what it follows from are kept: the token itself is made anew where the mail is sent.
async fn add_token(
    conn: &mut Conn,
    key: &TokenKey,
    user: Uuid,
    purpose: LinkPurpose,
    now: Time,
) -> Result<Uuid, Problem> {
    let id = Uuid::now_v7();
    let seed: [u8; BYTES] = rand::random();
    let token = key.token(purpose, id, &seed);
    let hash = mail_token::hash(&token).ok_or_else(|| Problem::internal("a token has no hash"))?;
    let row = MailToken {
        id,
        user_id: user,
        purpose: purpose.as_str(),
        token_hash: hash.to_vec(),
        seed: seed.to_vec(),
        created_at: now,
        expires_at: now + purpose.life(),
    };
    mail_tokens::replace(conn, &row).await?;
    Ok(id)
}
