//! The tokens of mailed links: each works once, for its purpose, until its time.

use db::mail_tokens;
use db::{Conn, users};
use models::Time;
use models::account_mail::LinkPurpose;
use models::mail_token;
use uuid::Uuid;

use crate::error::Problem;

/// Whose link it was, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// The user, whose row is locked.
    pub(super) user: Uuid,
    /// What the link was for.
    pub(super) purpose: LinkPurpose,
}

/// Fails for a link that does not work, before anything dear is done; uses nothing up.
///
/// # Errors
/// 400, or the database's failure.
pub(super) async fn require(
    conn: &mut Conn,
    token: &str,
    purposes: &[LinkPurpose],
    now: Time,
) -> Result<(), Problem> {
    holder(conn, &hash(token)?, purposes, now).await.map(drop)
}

/// Uses a link up, with its user locked until the transaction ends.
///
/// # Errors
/// 400, one for a link that was used, replaced, made up, is for something else, too old, or of a locked account.
pub(super) async fn take(
    conn: &mut Conn,
    token: &str,
    purposes: &[LinkPurpose],
    now: Time,
) -> Result<Used, Problem> {
    let hash = hash(token)?;
    let user = holder(conn, &hash, purposes, now).await?;
    let standing = users::lock(conn, user, None).await?;
    if standing.is_none_or(|standing| standing.locked_at.is_some()) {
        return Err(Problem::invalid_link());
    }
    let taken = mail_tokens::take(conn, &hash, &names(purposes), now)
        .await?
        .ok_or_else(Problem::invalid_link)?;
    let purpose = purposes
        .iter()
        .find(|purpose| purpose.as_str() == taken.purpose)
        .ok_or_else(Problem::invalid_link)?;
    Ok(Used {
        user: taken.user_id,
        purpose: *purpose,
    })
}

async fn holder(
    conn: &mut Conn,
    hash: &[u8],
    purposes: &[LinkPurpose],
    now: Time,
) -> Result<Uuid, Problem> {
    mail_tokens::holder(conn, hash, &names(purposes), now)
        .await?
        .ok_or_else(Problem::invalid_link)
}

fn hash(token: &str) -> Result<Vec<u8>, Problem> {
    let hash = mail_token::hash(token).ok_or_else(Problem::invalid_link)?;
    Ok(hash.to_vec())
}

/// As rows name them.
pub(super) fn names(purposes: &[LinkPurpose]) -> Vec<&'static str> {
    purposes.iter().map(|purpose| purpose.as_str()).collect()
}
