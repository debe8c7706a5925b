//! What wrong passwords cost.
//!
//! At a login: a few per account and client address, then 429; over the whole account only a delay, so that no stranger
//! locks an owner out. Where an account asks for the password again (`proof`), whoever guesses holds a token of it and is
//! no stranger: so few over the whole account, from wherever, then 429. A thief's token guesses no password, and to end
//! every token takes none. A password that is replaced by mail ends all of this (`forgive`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::Conn;
use db::rate_limits::{self, Ask};
use models::Time;
use models::id::UserId;
use models::limit::{Allowance, Count, Limit, login_delay};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::app::Api;
use crate::auth::{Origin, Verdict};
use crate::error::Problem;

/// Bytes of a digest that name an account: enough that no two meet.
const DIGEST_BYTES: usize = 16;

/// One try at a password. It counts as failed from the beginning, so that parallel tries are counted, too.
#[derive(Debug)]
pub(crate) struct Attempt {
    keys: Vec<String>,
    delay: Duration,
    /// What is left where it would be refused.
    left: Allowance,
}

impl Attempt {
    /// Counts a try to log in, whether or not the account exists.
    ///
    /// # Errors
    /// 429 after too many failed ones, or the database's failure.
    pub(crate) async fn begin(
        api: &Api,
        origin: &Origin,
        email_key: &str,
        now: Time,
    ) -> Result<Self, Problem> {
        let limit = api.limiter.rates.login_failures;
        let account = logins_of(email_key);
        let keys = vec![format!("{account} {}", origin.network()), account];
        let counts = ask(&mut *api.conn().await?, limit, &keys, now).await?;
        let left = require(limit, counts.first(), now)?;
        let failures = counts.last().map_or(0, |all| all.asked.saturating_sub(1));
        let delay = login_delay(failures, limit.most);
        Ok(Self {
            keys,
            delay: delay.to_std().unwrap_or_default(),
            left,
        })
    }

    /// Counts a try to give the password again.
    ///
    /// # Errors
    /// 429 after too many failed ones, or the database's failure.
    pub(crate) async fn proof(
        api: &Api,
        conn: &mut Conn,
        user: UserId,
        now: Time,
    ) -> Result<Self, Problem> {
        let limit = api.limiter.rates.login_failures;
        let keys = vec![proofs_of(user)];
        let counts = ask(conn, limit, &keys, now).await?;
        let left = require(limit, counts.first(), now)?;
        Ok(Self {
            keys,
            delay: Duration::ZERO,
            left,
        })
    }

    /// Waits as long as the account's failures cost. Hold no connection meanwhile.
    pub(crate) async fn wait(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }

    /// Compares. Where no core is free for it, nothing was tried and nothing is counted: else a storm of strangers' logins
    /// would keep an owner out until his window ends.
    ///
    /// # Errors
    /// 503, or the database's failure.
    pub(crate) async fn compare(
        &self,
        api: &Api,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<Verdict, Problem> {
        let compared = api.passwords.verify(password, hash).await;
        if compared.is_err() {
            rate_limits::give_back(&mut *api.conn().await?, &self.keys).await?;
        }
        compared
    }

    /// Says with a failure how many more there may be; as many where there is no account.
    pub(crate) fn failed(&self, problem: Problem) -> Problem {
        problem.nearing(self.left)
    }

    /// It did not fail: the count begins anew.
    ///
    /// # Errors
    /// The database's failure.
    pub(crate) async fn succeeded(&self, conn: &mut Conn) -> Result<(), Problem> {
        rate_limits::forget(conn, &self.keys).await?;
        Ok(())
    }
}

/// Forgets what failed at an account, from wherever: its owner has proved who he is, and has another password.
///
/// # Errors
/// The database's failure.
pub(crate) async fn forgive(conn: &mut Conn, user: UserId, email_key: &str) -> Result<(), Problem> {
    // Digests and ids are all of one length: none is the beginning of another.
    let keys = [logins_of(email_key), proofs_of(user)];
    rate_limits::forget_all(conn, &keys).await?;
    Ok(())
}

fn logins_of(email_key: &str) -> String {
    format!("logins {}", digest(email_key))
}

fn proofs_of(user: UserId) -> String {
    format!("proofs {user}")
}

async fn ask(
    conn: &mut Conn,
    limit: Limit,
    keys: &[String],
    now: Time,
) -> Result<Vec<Count>, Problem> {
    let ask = |key: &String| Ask {
        key: key.clone(),
        want: 1,
        window: limit.window,
    };
    let asks: Vec<Ask> = keys.iter().map(ask).collect();
    Ok(rate_limits::ask(conn, &asks, now).await?)
}

/// Refuses where a count is over its limit; else says how much is left.
///
/// # Errors
/// 429.
pub(super) fn require(
    limit: Limit,
    count: Option<&Count>,
    now: Time,
) -> Result<Allowance, Problem> {
    let count = count.ok_or_else(|| Problem::internal("the count has no row"))?;
    let left = u64::from(limit.most).saturating_sub(count.asked);
    let allowance = Allowance {
        limit: limit.most,
        remaining: u32::try_from(left).unwrap_or(limit.most),
        reset_seconds: limit.seconds_left(count.ends_at, now).max(1),
    };
    match limit.granted(1, count.asked) {
        1 => Ok(allowance),
        _ => Err(Problem::limited(allowance)),
    }
}

/// Names an account without its address, which a table of counters need not hold.
pub(super) fn digest(email_key: &str) -> String {
    let hash = Sha256::digest(email_key.as_bytes());
    let short: Vec<u8> = hash.into_iter().take(DIGEST_BYTES).collect();
    URL_SAFE_NO_PAD.encode(short)
}
