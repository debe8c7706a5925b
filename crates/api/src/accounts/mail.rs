//! Asks for a mail: a row for alerters, and the token that its link stands for.

use db::Conn;
use db::deliveries::account::{self, Mail};
use db::mail_tokens::{self, MailToken};
use models::Time;
use models::account_mail::{AccountMail, LinkPurpose};
use models::id::DeliveryId;
use models::mail_token::{self, BYTES, TokenKey};
use uuid::Uuid;

use crate::error::Problem;

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
