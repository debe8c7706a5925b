//! `Idempotency-Key`: a create that is sent twice happens once.
//!
//! The key is the user's, and lives a day. It is kept in the create's own transaction with a hash of what was asked
//! for and with the answer, so that whoever sends it again gets that answer: a lost reply, or a load balancer that
//! repeats a request. Only successes are kept: a refusal may be asked for again.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use chrono::TimeDelta;
use db::Conn;
use db::idempotency::{self, Kept};
use models::Time;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::{FieldError, Problem};
use crate::problems;

/// The request's header.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The answer's, where it was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const MAX_BYTES: usize = 64;
/// For how long a key is remembered.
const LIFE: TimeDelta = TimeDelta::hours(24);
/// A create takes milliseconds: whoever is told so has waited for one that hangs.
const RETRY_SECONDS: u64 = 1;

/// The key of a request, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(Option<String>);

/// One user's use of a key for one thing.
#[derive(Debug)]
pub(crate) struct Use<'a> {
    user: Uuid,
    key: &'a str,
    asked: Vec<u8>,
}

impl IdempotencyKey {
    /// What the key stands for, where there is one. `asked` is what the request comes to, in a form that does not
    /// depend on how it was written.
    #[must_use]
    pub(crate) fn used_for(&self, user: Uuid, asked: &str) -> Option<Use<'_>> {
        self.0.as_deref().map(|key| Use {
            user,
            key,
            asked: Sha256::digest(asked.as_bytes()).to_vec(),
        })
    }
}

impl Use<'_> {
    /// Makes this transaction the only one at work with the key; ask before any lock that it would wait for.
    ///
    /// # Errors
    /// 409 while another one is, or the database's failure.
    pub(crate) async fn begin(&self, conn: &mut Conn) -> Result<(), Problem> {
        if idempotency::try_lock(conn, self.user, self.key).await? {
            return Ok(());
        }
        let detail = "The first request with this Idempotency-Key is still being worked on.";
        Err(Problem::new(&problems::IDEMPOTENCY_KEY_IN_USE, detail).retry_in(RETRY_SECONDS))
    }

    /// What was answered to it before.
    ///
    /// # Errors
    /// 422 where something else was asked for then, or the database's failure.
    pub(crate) async fn answered(
        &self,
        conn: &mut Conn,
        now: Time,
    ) -> Result<Option<Kept>, Problem> {
        let kept = idempotency::find(conn, self.user, self.key, now - LIFE).await?;
        if kept.as_ref().is_some_and(|kept| kept.asked != self.asked) {
            return Err(Problem::new(
                &problems::IDEMPOTENCY_KEY_REUSED,
                "This Idempotency-Key came with another body before.",
            ));
        }
        Ok(kept)
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// The database's failure.
    pub(crate) async fn keep(
        &self,
        conn: &mut Conn,
        answer: (Uuid, &str, &str),
        now: Time,
    ) -> Result<(), Problem> {
        let (service, etag, body) = answer;
        let kept = Kept {
            asked: self.asked.clone(),
            service_id: service,
            etag: etag.to_owned(),
            body: body.to_owned(),
        };
        Ok(idempotency::keep(conn, (self.user, self.key), &kept, now).await?)
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let mut given = request.headers().get_all(KEY);
        let read = match (given.next(), given.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value
                .to_str()
                .ok()
                .filter(|key| is_key(key))
                .map(|key| Some(key.to_owned()))
                .ok_or("must be 1 to 64 visible ASCII characters"),
            (Some(_), Some(_)) => Err("is given more than once"),
        };
        ready(read.map(Self).map_err(|message| {
            Problem::invalid(vec![FieldError {
                field: "Idempotency-Key".to_owned(),
                message: message.to_owned(),
            }])
        }))
    }
}

fn is_key(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
