//! From a request's token to the user who may act.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use db::Conn;
use db::users::{Account, Standing};
use models::id::UserId;
use uuid::Uuid;

use super::tokens::AccessClaims;
use crate::app::Api;
use crate::error::Problem;
use crate::problems;

/// The role that opens `/admin`.
const ADMIN: &str = "admin";

/// A token of ours that is still valid; whether its user may still act only the database knows.
#[derive(Debug)]
pub(crate) struct Bearer(AccessClaims);

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
        self.0.sub
    }

    /// The session that it is of; tokens of the release before name none.
    pub(crate) fn session(&self) -> Option<Uuid> {
        self.0.sid
    }

    /// Reads the user: a lock, a deletion, a raised epoch or the session's end ends the token at once.
    ///
    /// # Errors
    /// 401, or the database's failure.
    pub(crate) async fn caller(&self, conn: &mut Conn) -> Result<Caller, Problem> {
        let standing = db::users::standing(conn, self.0.sub.as_uuid(), self.0.sid).await?;
        self.admit(standing)
    }

    /// The same, and nobody else can create or resume services of this user until the transaction ends.
    ///
    /// # Errors
    /// As [`Self::caller`].
    pub(crate) async fn caller_locked(&self, conn: &mut Conn) -> Result<Caller, Problem> {
        let standing = db::users::lock(conn, self.0.sub.as_uuid(), self.0.sid).await?;
        self.admit(standing)
    }

    /// The whole account.
    ///
    /// # Errors
    /// As [`Self::caller`].
    pub(crate) async fn account(&self, conn: &mut Conn) -> Result<(Caller, Account), Problem> {
        let caller = self.caller(conn).await?;
        let account = db::users::account(conn, self.0.sub.as_uuid())
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

    fn admit(&self, standing: Option<Standing>) -> Result<Caller, Problem> {
        let standing = standing
            .filter(|standing| standing.token_epoch == self.0.epoch && standing.session_goes_on)
            .filter(|standing| standing.locked_at.is_none())
            .ok_or_else(Problem::unauthorized)?;
        Ok(Caller {
            user: self.0.sub,
            service_quota: standing.service_quota,
        })
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<Bearer, Problem> {
    let api = request
        .app_data::<web::Data<Api>>()
        .ok_or_else(|| Problem::internal("the app has no state"))?;
    let (scheme, token) = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .ok_or_else(Problem::unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized());
    }
    let claims = api.tokens.verify(token.trim(), api.clock.now())?;
    Ok(Bearer(claims))
}
