//! How often anybody may ask, over all processes.
//!
//! The count is PostgreSQL's (`db::rate_limits`), the rules are `models::limit`'s. Here is what a process leased of it
//! (`leases`), the layer before account routes (`layer`), what failed logins cost (`logins`), and how many mails an address
//! gets (`mails`). A process that knows
//! a window to be spent refuses by itself: a flood never becomes a load on the database.

mod known;
mod layer;
mod leases;
mod logins;
mod mails;
mod spent;
mod strangers;

use std::fmt;
use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::web::Data;
use db::rate_limits::{self, Ask};
use models::Time;
use models::id::UserId;
use models::limit::{Allowance, Count, Limit, Spend};
use uuid::Uuid;

pub(crate) use layer::{LIMIT, REMAINING, RESET, account_routes, tell};
pub(crate) use logins::{Attempt, forgive};
pub(crate) use mails::{count_mail, spend_move};
pub(crate) use spent::Used;

use crate::app::Api;
use crate::error::Problem;
use known::KnownKeys;
use leases::Leases;
use spent::SpentKeys;
use strangers::Strangers;

/// How often what may be asked; see `.env.example`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Account routes, per client address (`RATE_LIMIT_AUTH_PER_MINUTE`).
    pub auth: Limit,
    /// `/auth/refresh`, per client address (`RATE_LIMIT_REFRESH_PER_MINUTE`).
    pub refresh: Limit,
    /// Mails of one kind that an address gets (`RATE_LIMIT_MAILS_PER_HOUR`).
    pub mails: Limit,
    /// Failed logins per account and client address (`LOGIN_FAILURES_PER_15_MINUTES`).
    pub login_failures: Limit,
    /// Reads of a tenant, and of each of his sessions on account routes (`RATE_LIMIT_READS_PER_MINUTE`).
    pub reads: Limit,
    /// Writes of a tenant, and of each of his sessions on account routes (`RATE_LIMIT_WRITES_PER_MINUTE`).
    pub writes: Limit,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Account routes, from one network.
    Auth(IpAddr),
    /// New pairs of tokens, from one network.
    Refresh(IpAddr),
    /// What a tenant reads.
    Reads(Whose),
    /// What a tenant changes.
    Writes(Whose),
}

/// Whose reads and writes are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// All of a tenant's.
    User(UserId),
    /// Those of one session of his with his account, keys and administration: a thief's key or session does not spend what
    /// he needs to throw the thief out.
    Session(Uuid),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Session(session) => write!(f, "session {session}"),
        }
    }
}

impl Subject {
    /// What a tenant's request counts as.
    pub(crate) fn of(whose: Whose, method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Reads(whose),
            _ => Self::Writes(whose),
        }
    }

    fn key(self) -> String {
        match self {
            Self::Auth(network) => format!("auth {network}"),
            Self::Refresh(network) => format!("refresh {network}"),
            Self::Reads(whose) => format!("reads {whose}"),
            Self::Writes(whose) => format!("writes {whose}"),
        }
    }
}

/// The limits, and this process' part of what they grant.
#[derive(Debug)]
pub(crate) struct Limiter {
    rates: RateLimits,
    leases: Leases,
    /// Who shows keys that nobody has.
    pub(crate) strangers: Strangers,
    /// Keys that are looked up all the same.
    pub(crate) known_keys: KnownKeys,
    /// Keys that need not be looked up to be refused.
    pub(crate) spent_keys: SpentKeys,
}

impl Limiter {
    pub(crate) fn new(rates: RateLimits) -> Self {
        Self {
            rates,
            leases: Leases::new(),
            strangers: Strangers::new(),
            known_keys: KnownKeys::new(),
            spent_keys: SpentKeys::new(),
        }
    }

    fn limit(&self, subject: Subject) -> Limit {
        match subject {
            Subject::Auth(_) => self.rates.auth,
            Subject::Refresh(_) => self.rates.refresh,
            Subject::Reads(_) => self.rates.reads,
            Subject::Writes(_) => self.rates.writes,
        }
    }

    /// Gives back what a request took that turned out not to be the subject's.
    pub(crate) async fn refund(&self, subject: Subject, now: Time) {
        let lease = self.leases.of(subject, self.limit(subject), now);
        lease.lock().await.refund();
    }
}

/// Takes one request from what `subject` may ask.
///
/// # Errors
/// 429, or 503 when only the database knows and it is away.
pub(crate) async fn spend(api: &Data<Api>, subject: Subject) -> Result<Allowance, Problem> {
    let limit = api.limiter.limit(subject);
    let now = api.clock.now();
    let lease = api.limiter.leases.of(subject, limit, now);
    // Who asks the database asks for all of this subject that wait here.
    let mut lease = lease.lock().await;
    let mut spent = lease.spend(now);
    if spent == Spend::Ask {
        let want = match subject {
            Subject::Auth(_) | Subject::Refresh(_) => 1, // exact, request by request
            Subject::Reads(_) | Subject::Writes(_) => limit.block(),
        };
        let ask = Ask {
            key: subject.key(),
            want,
            window: limit.window,
        };
        // In a box, so that requests which need not ask do not carry the room that this takes.
        lease.add(want, Box::pin(counted(api, ask, now)).await?);
        spent = lease.spend(now);
    }
    match spent {
        Spend::Passed(allowance) => Ok(allowance),
        Spend::Exhausted(allowance) => Err(Problem::limited(allowance)),
        Spend::Ask => Err(Problem::internal("a window ended before it began")),
    }
}

/// What the database counted.
async fn counted(api: &Data<Api>, ask: Ask, now: Time) -> Result<Count, Problem> {
    let app = Data::clone(api);
    let counts = api.work(async move {
        let mut conn = app.conn().await?;
        Ok(rate_limits::ask(&mut conn, &[ask], now).await?)
    });
    let count = counts.await?.pop();
    count.ok_or_else(|| Problem::internal("the count has no row"))
}

/// Remembers in the request what its client is told. Of two limits it is the nearer one.
pub(crate) fn note(request: &impl actix_web::HttpMessage, allowance: Allowance) {
    let mut extensions = request.extensions_mut();
    let nearer = extensions
        .get::<Allowance>()
        .is_none_or(|known| allowance.remaining <= known.remaining);
    if nearer {
        extensions.insert(allowance);
    }
}
