//! How many mails an address gets, whoever asks for them.
//!
//! Only a mail that is sent counts, in the transaction that writes it, and each kind on its own: what strangers ask for
//! takes nothing from its owner, and nobody can be flooded.

use db::Conn;
use db::rate_limits::{self, Ask};
use models::Time;
use models::id::UserId;
use models::limit::Limit;

use super::logins::{digest, require};
use crate::app::Api;
use crate::error::Problem;

/// Counts one mail of a kind to an address, and returns whether it is within the limit. Where nobody gets it (`mails` is
/// 0) the same statement counts nothing.
///
/// # Errors
/// The database's failure.
pub(crate) async fn count_mail(
    conn: &mut Conn,
    api: &Api,
    (kind, email_key): (&str, &str),
    mails: u32,
    now: Time,
) -> Result<bool, Problem> {
    let limit = api.limiter.rates.mails;
    let ask = ask(limit, format!("mails {kind} {}", digest(email_key)), mails);
    let counts = rate_limits::ask(conn, &[ask], now).await?;
    let count = counts
        .first()
        .ok_or_else(|| Problem::internal("the count has no row"))?;
    Ok(count.asked <= u64::from(limit.most))
}

/// Counts a move to an address: neither that one nor many by one account are flooded. Apart from every other mail, and
/// whether or not the address has an account.
///
/// # Errors
/// 429, or the database's failure.
pub(crate) async fn spend_move(
    conn: &mut Conn,
    api: &Api,
    user: UserId,
    new_email_key: &str,
    now: Time,
) -> Result<(), Problem> {
    let limit = api.limiter.rates.mails;
    let asks = [
        ask(limit, format!("moves to {}", digest(new_email_key)), 1),
        ask(limit, format!("moves of {user}"), 1),
    ];
    for count in rate_limits::ask(conn, &asks, now).await? {
        require(limit, Some(&count), now)?;
    }
    Ok(())
}

fn ask(limit: Limit, key: String, want: u32) -> Ask {
    Ask {
        key,
        want,
        window: limit.window,
    }
}
