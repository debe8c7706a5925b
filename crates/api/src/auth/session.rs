//! From a request's token to the user who may act.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use db::Conn;
use db::users::{Account, Standing};
use futures_util::future::LocalBoxFuture;
use models::id::UserId;
use uuid::Uuid;

use super::api_key::{self, KeyScope, KnownKey};
use super::tokens::AccessClaims;
use crate::app::Api;
use crate::client::Client;
use crate::error::Problem;
use crate::limits::{self, Subject, Used, Whose};
use crate::problems;

/// The role that opens `/admin`.
const ADMIN: &str = "admin";

/// A token of ours that is still valid; whether its user may still act only the database knows. The request is
/// counted as his.
pub(crate) struct Bearer {
    proof: Proof,
    /// What this request was counted as.
    subject: Subject,
    api: Data<Api>,
}

/// How a caller proves who he is.
enum Proof {
    /// An access token.
    Session(Arc<AccessClaims>),
    /// A key for machines; looked up in this request.
    Key(KnownKey),
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer")
            .field("user", &self.user())
            .finish_non_exhaustive()
    }
}

/// A user who may act, as read in this request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Whose services these are.
    pub(crate) user: UserId,
    /// Active services he may have, if he has a quota of his own.
    pub(crate) service_quota: Option<i32>,
}

impl Bearer {
    /// Whose token it is; whether he may act is not known yet.
    pub(crate) fn user(&self) -> UserId {
        match &self.proof {
            Proof::Session(claims) => claims.sub,
            Proof::Key(key) => key.user,
        }
    }

    /// The session that it is of; keys have none, nor have tokens of the release before.
    pub(crate) fn session(&self) -> Option<Uuid> {
        match &self.proof {
            Proof::Session(claims) => claims.sid,
            Proof::Key(_) => None,
        }
    }

    /// Reads the user: a lock, a deletion, a raised epoch or the session's end ends the token at once.
    ///
    /// # Errors
    /// 401, or the database's failure.
    pub(crate) async fn caller(&self, conn: &mut Conn) -> Result<Caller, Problem> {
        let standing = db::users::standing(conn, self.user().as_uuid(), self.session()).await?;
        self.admit(standing).await
    }

    /// The same, and nobody else can create or resume services of this user until the transaction ends.
    ///
    /// # Errors
    /// As [`Self::caller`].
    pub(crate) async fn caller_locked(&self, conn: &mut Conn) -> Result<Caller, Problem> {
        let standing = db::users::lock(conn, self.user().as_uuid(), self.session()).await?;
        self.admit(standing).await
    }

    /// The whole account.
    ///
    /// # Errors
    /// As [`Self::caller`].
    pub(crate) async fn account(&self, conn: &mut Conn) -> Result<(Caller, Account), Problem> {
        let caller = self.caller(conn).await?;
        let account = db::users::account(conn, self.user().as_uuid())
            .await?
            .ok_or_else(Problem::unauthorized)?;
        Ok((caller, account))
    }

    /// The user, where he is an admin: his role is read, never taken from the token.
    ///
    /// # Errors
    /// 403 (`admins-only`), or as [`Self::caller`].
    pub(crate) async fn admin(&self, conn: &mut Conn) -> Result<Caller, Problem> {
        let (caller, account) = self.account(conn).await?;
        if account.role == ADMIN {
            return Ok(caller);
        }
        Err(Problem::new(
            &problems::ADMINS_ONLY,
            "Your account is not an admin's.",
        ))
    }

    /// Judges what the database says of the user.
    ///
    /// # Errors
    /// 401, 403 (`email-not-verified`).
    pub(crate) async fn admit(&self, standing: Option<Standing>) -> Result<Caller, Problem> {
        let holds = |standing: &Standing| match &self.proof {
            Proof::Session(claims) => {
                standing.token_epoch == claims.epoch
                    && standing.session_goes_on
                    && standing.locked_at.is_none()
            }
            // A new password ends sessions, not machines; a lock ends both.
            Proof::Key(_) => standing.locked_at.is_none(),
        };
        if let Some(standing) = standing.filter(holds) {
            if self.api.config.auth.verification.is_required() && !standing.is_verified {
                return Err(Problem::email_not_verified());
            }
            return Ok(Caller {
                user: self.user(),
                service_quota: standing.service_quota,
            });
        }
        // Who holds a token that has ended shall not spend what its user may ask.
        if let Proof::Session(claims) = &self.proof {
            self.api.ended.add(claims.jti);
        }
        let now = self.api.clock.now();
        self.api.limiter.refund(self.subject, now).await;
        Err(Problem::unauthorized())
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let api = request
                .app_data::<Data<Api>>()
                .cloned()
                .ok_or_else(|| Problem::internal("the app has no state"))?;
            let token = bearer_token(&request)?;
            let proof = if api_key::is_key(token) {
                // In a box, as all that most requests do not come to: they need not carry its room.
                Proof::Key(Box::pin(known_key(&api, &request, token)).await?)
            } else {
                Proof::Session(session(&api, token)?)
            };
            let subject = Subject::of(whose(&proof, &request), request.method());
            let spent = limits::spend(&api, subject).await;
            if let (Proof::Key(_), Err(refused)) = (&proof, &spent) {
                remember(&api, used(&request, token), refused);
            }
            limits::note(&request, spent?);
            Ok(Self {
                proof,
                subject,
                api,
            })
        })
    }
}

/// Who pays for a request.
fn whose(proof: &Proof, request: &HttpRequest) -> Whose {
    match proof {
        Proof::Key(key) => Whose::User(key.user),
        Proof::Session(claims) => match claims.sid {
            Some(session) if !api_key::is_open(request.match_info().as_str()) => {
                Whose::Session(session)
            }
            _ => Whose::User(claims.sub),
        },
    }
}

fn bearer_token(request: &HttpRequest) -> Result<&str, Problem> {
    let (scheme, token) = request
        .headers()
        .get(header::AUTHORIZATION)
        // What is text and no token of ours is refused as such.
        .and_then(|value| str::from_utf8(value.as_bytes()).ok())
        .and_then(|value| value.split_once(' '))
        .ok_or_else(Problem::unauthorized)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(Problem::unauthorized())
    }
}

/// The claims, if they are ours and hold as far as one can tell without asking.
fn session(api: &Api, token: &str) -> Result<Arc<AccessClaims>, Problem> {
    let claims = api.tokens.verify(token, api.clock.now())?;
    if api.ended.contains(claims.jti) {
        return Err(Problem::unauthorized());
    }
    Ok(claims)
}

/// A key's user may ask no more: until he may, it is refused unseen.
fn remember(api: &Api, used: Used, refused: &Problem) {
    if let Some(told) = refused.parts().allowance {
        api.limiter.spent_keys.note(used, told, api.clock.now());
    }
}

fn used(request: &HttpRequest, key: &str) -> Used {
    Used {
        key: api_key::hash(key),
        reads: reads(request),
    }
}

fn reads(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The key, if there is such a one and it opens what is asked for.
async fn known_key(
    api: &Data<Api>,
    request: &HttpRequest,
    token: &str,
) -> Result<KnownKey, Problem> {
    let now = api.clock.now();
    let limiter = &api.limiter;
    let used = used(request, token);
    if let Some(spent) = limiter.spent_keys.refusal(&used, now) {
        return Err(Problem::limited(spent));
    }
    let trusted = &api.config.trusted_proxies;
    let network = Client::of(request.peer_addr(), request.headers(), trusted).network();
    if let Some(spent) = limiter.strangers.refusal(network, now)
        && !limiter.known_keys.contains(&used.key)
    {
        return Err(Problem::limited(spent));
    }
    let app = Data::clone(api);
    let token = token.to_owned();
    let found = api.work(async move { api_key::find(&mut *app.conn().await?, &token, now).await });
    let Some(key) = found.await? else {
        limiter.known_keys.remove(&used.key);
        limiter.strangers.note(network, now);
        return Err(Problem::unauthorized());
    };
    limiter.known_keys.add(&used.key, now);
    if !api_key::is_open(request.match_info().as_str()) {
        return Err(Problem::new(
            &problems::SESSION_REQUIRED,
            "Accounts, keys and administration are for people: log in.",
        ));
    }
    if !reads(request) && key.scope != KeyScope::Write {
        return Err(Problem::new(
            &problems::INSUFFICIENT_SCOPE,
            "This takes a key with the scope `write`.",
        ));
    }
    Ok(key)
}
