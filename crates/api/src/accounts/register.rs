//! A new account.
//!
//! Where addresses have to be confirmed, nobody learns from the answer whether an address has an account: its owner is
//! told by mail instead. What that mail says depends on whether the account was confirmed. Where it was, it carries no
//! link that confirms anything. Where it was not, it may be anybody's, registered in a stranger's name to have it as soon
//! as she confirms; so the password decides. Given again, the same password gets the link to confirm once more. With
//! another one the account loses its own: none opens it until whoever reads its mails has chosen one by the link of that
//! mail, which confirms the address, too.
//!
//! Nor does a user name tell: the one that was given with a known
//! address is taken like a new account's, for as long as the address' owner is there. There are as many of them as there
//! could be accounts: each is an account route's request of its client, and a hash.

use db::users::{self, User, unconfirmed};
use db::{Conn, Failure, QueryError, audit, usernames};
use models::account_mail::AccountMail;
use models::audit::AuditEvent;
use models::id::DeliveryId;
use secrecy::SecretString;
use serde_json::json;

use super::{mail, pace};
use crate::app::Api;
use crate::auth::{Origin, Verdict};
use crate::error::Problem;
use crate::problems;

/// How often a password is compared with that of an account which was registered meanwhile. Whoever registers one address
/// more often at once is told to come back.
const COMPARISONS: usize = 3;

/// The password to register with. One bcrypt is done for it, whatever there is at the address.
#[derive(Debug)]
struct Chosen {
    /// What a new account would have: the password's hash, or nobody's.
    hash: String,
    /// What it was compared with: the hash of the account that is there and not confirmed.
    compared: Option<String>,
    /// It is the password of that account. The hashes do not tell: both may be nobody's.
    is_same: bool,
}

impl Chosen {
    async fn of(
        api: &Api,
        password: SecretString,
        unconfirmed: Option<String>,
    ) -> Result<Self, Problem> {
        let Some(known) = unconfirmed else {
            let hash = api.passwords.hash(password).await?;
            return Ok(Self {
                hash,
                compared: None,
                is_same: false,
            });
        };
        let verdict = api.passwords.verify(password, Some(known.clone())).await?;
        let is_same = matches!(verdict, Verdict::Right { .. });
        let hash = if is_same {
            known.clone()
        } else {
            api.passwords.nobodys()
        };
        Ok(Self {
            hash,
            compared: Some(known),
            is_same,
        })
    }
}

/// What a registration came to.
enum Outcome {
    /// It is done, and alerters are to be nudged.
    Done(DeliveryId),
    /// There is an account which is not confirmed, and the password was not compared with this hash of it.
    Compare(String),
}

/// Adds an account, whose hash is filled in.
///
/// # Errors
/// 409 (`duplicate-username`; `duplicate-email` where addresses need not be confirmed), 503, or the database's failure.
pub(crate) async fn register(
    api: &Api,
    user: &mut User,
    password: SecretString,
    origin: &Origin,
) -> Result<(), Problem> {
    if api.config.auth.verification.is_required() {
        return register_unconfirmed(api, user, password, origin).await;
    }
    user.password_hash = api.passwords.hash(password).await?;
    let user = &*user;
    api.db
        .transaction(async |conn: &mut Conn| {
            users::insert(conn, user).await.map_err(taken)?;
            record(conn, user, origin).await
        })
        .await
}

async fn register_unconfirmed(
    api: &Api,
    user: &mut User,
    password: SecretString,
    origin: &Origin,
) -> Result<(), Problem> {
    let known = users::by_email_key(&mut *api.conn().await?, &user.email_key).await?;
    let mut open = known.filter(is_open).map(|known| known.password_hash);
    for _ in 0..COMPARISONS {
        let chosen = Chosen::of(api, password.clone(), open.take()).await?;
        user.password_hash.clone_from(&chosen.hash);
        let user = &*user;
        let asked = api
            .db
            .transaction(async |conn: &mut Conn| ask(conn, api, (user, &chosen), origin).await);
        match pace::even(asked).await? {
            Outcome::Done(delivery) => {
                api.nudges.mail(delivery);
                return Ok(());
            }
            Outcome::Compare(hash) => open = Some(hash),
        }
    }
    Err(Problem::unavailable(
        "one address is registered too often at once",
    ))
}

/// Whether an account still waits for whoever its address belongs to.
fn is_open(account: &User) -> bool {
    !account.is_verified && account.locked_at.is_none()
}

async fn ask(
    conn: &mut Conn,
    api: &Api,
    (user, chosen): (&User, &Chosen),
    origin: &Origin,
) -> Result<Outcome, Problem> {
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
        let mail = mail::post(conn, &api.mail_key, to, &AccountMail::VerifyEmail, now).await?;
        return Ok(Outcome::Done(mail));
    }
    let owner = users::by_email_key(conn, &user.email_key).await?;
    let open = owner.as_ref().filter(|owner| is_open(owner));
    if let Some(open) = open.filter(|open| chosen.compared.as_ref() != Some(&open.password_hash)) {
        return Ok(Outcome::Compare(open.password_hash.clone()));
    }
    // As gone as a new account's would be: a name that stays free would tell that this is none.
    if let (Some(name), Some(owner)) = (&user.username_key, &owner)
        && !usernames::take(conn, name, owner.id).await?
    {
        return Err(duplicate_username());
    }
    let told = match open {
        None => AccountMail::AddressKnown,
        Some(open) if chosen.is_same => rename(conn, open, user).await?,
        Some(open) => disown(conn, (open, &chosen.hash), origin, user).await?,
    };
    let address = (
        owner.as_ref().map(|owner| owner.id),
        user.email_key.as_str(),
    );
    let is_due = mail::is_due(conn, api, address, &told, now).await?;
    let owner = owner.as_ref().filter(|_| is_due).unwrap_or(user); // gone again, or told before: nobody is told
    let to = (owner.id, owner.email.as_str());
    let mail = mail::post(conn, &api.mail_key, to, &told, now).await?;
    Ok(Outcome::Done(mail))
}

/// The same person again, who may have given another name: the answer shows that one.
async fn rename(conn: &mut Conn, account: &User, asked: &User) -> Result<AccountMail, Problem> {
    if let (Some(name), Some(key)) = (&asked.username, &asked.username_key) {
        let renamed =
            unconfirmed::set_username(conn, account.id, (name, key), asked.created_at).await;
        renamed.map_err(taken)?;
    }
    Ok(AccountMail::VerifyEmail)
}

/// Takes an account its password, since two people may have chosen one; its mailbox decides. Returns what is told there.
async fn disown(
    conn: &mut Conn,
    (account, nobodys): (&User, &str),
    origin: &Origin,
    asked: &User,
) -> Result<AccountMail, Problem> {
    let hashes = (account.password_hash.as_str(), nobodys);
    let now = asked.created_at;
    if !unconfirmed::disown(conn, account.id, hashes, now).await? {
        return Ok(AccountMail::AddressKnown); // confirmed this very moment
    }
    let event = origin.event(AuditEvent::Registered, account.id, now);
    audit::record(conn, &event.with(json!({"again": true}))).await?;
    Ok(AccountMail::AddressUnconfirmed)
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
