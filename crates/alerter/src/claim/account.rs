//! Account mail: whether it is still wanted, and its letter with a link that works.
//!
//! What is stored of a letter has a mark where the token belongs. The token is put in only for the attempt, from its
//! row and our key: so it lies in no database, and a retry is still the same bytes.

use db::deliveries::claim::{Due, LinkToken, World};
use models::Time;
use models::account_mail::{AccountMail, LinkPurpose};
use models::id::DeliveryId;
use models::mail_token;

use super::{End, require_time, unusable};
use crate::letter::Letter;
use crate::render;
use crate::worker::Worker;

/// Stands for the token in what is stored. No address and no user name can hold a brace beside a blank.
const MARK: &str = "{the token}";

/// The letter to send, and what is stored of it, or why there is none.
pub(super) fn letter(
    worker: &Worker,
    due: &Due,
    world: &World,
    now: Time,
) -> Result<(Letter, serde_json::Value), End> {
    if world.owner_is_locked != Some(false) {
        return Err(End::Suppressed("the account is locked or gone"));
    }
    require_time(due, now)?;
    let facts = world.account_facts.clone();
    let facts = facts.ok_or_else(|| unusable(&"there is nothing to say"))?;
    let mail: AccountMail = serde_json::from_value(facts).map_err(|error| unusable(&error))?;
    let token = match mail.purpose() {
        Some(purpose) => Some(token(worker, world.token.as_ref(), purpose, now)?),
        None => None,
    };
    let stored = match &due.rendered {
        Some(stored) => stored.clone(),
        None => rendered(worker, due, &mail, now)?,
    };
    let letter: Letter =
        serde_json::from_value(stored.clone()).map_err(|error| unusable(&error))?;
    let letter = match token {
        Some(token) => letter.with(MARK, &token),
        None => letter,
    };
    Ok((letter, stored))
}

fn rendered(
    worker: &Worker,
    due: &Due,
    mail: &AccountMail,
    now: Time,
) -> Result<serde_json::Value, End> {
    let link = mail
        .purpose()
        .map(|purpose| worker.links.account(purpose, MARK));
    let rendered = render::account::mail(mail, worker.verification, link.as_deref())
        .map_err(|error| unusable(&error))?;
    let id = DeliveryId(due.id);
    let letter = Letter::new(id, &worker.from, &due.recipient, rendered, now);
    serde_json::to_value(&letter).map_err(|error| unusable(&error))
}

/// The token that the row stands for: of the keys, it is the one whose token has the stored hash.
fn token(
    worker: &Worker,
    row: Option<&LinkToken>,
    purpose: LinkPurpose,
    now: Time,
) -> Result<String, End> {
    let Some(row) = row else {
        return Err(End::Suppressed(
            "its link was used, or a newer one took its place",
        ));
    };
    if row.expires_at <= now {
        return Err(End::Suppressed("its link has expired"));
    }
    worker
        .token_keys
        .iter()
        .map(|key| key.token(purpose, row.id, &row.seed))
        .find(|token| mail_token::hash(token).is_some_and(|hash| row.token_hash == hash))
        .ok_or_else(|| unusable(&"SECRETS_KEY is not the one that the api has"))
}
