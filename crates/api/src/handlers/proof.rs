//! A password that is asked for again: a token alone changes no password, moves no account and deletes none.

use actix_web::web::Data;
use db::{audit, users};
use models::audit::AuditEvent;
use secrecy::SecretString;
use serde_json::json;

use super::auth::to_micros;
use crate::app::Api;
use crate::auth::{Bearer, Origin, Verdict};
use crate::error::Problem;
use crate::input::Fields;
use crate::limits::Attempt;

/// What was given as the caller's password.
#[derive(Debug)]
pub(super) struct Given {
    /// The field.
    pub(super) field: &'static str,
    /// What stood in it, where that is text.
    pub(super) password: Option<SecretString>,
    /// What it is asked for, as the audit log tells a wrong one.
    pub(super) purpose: &'static str,
}

/// Compares it with the caller's and returns the hash that it was compared with. A wrong one is told with whatever else is
/// wrong with the fields, and a right one that comes with wrong fields changes nothing either.
///
/// # Errors
/// 401, 422, 429 after too many wrong ones, 503.
pub(super) async fn prove(
    api: &Data<Api>,
    bearer: &Bearer,
    origin: &Origin,
    given: Given,
    mut fields: Fields,
) -> Result<String, Problem> {
    let now = to_micros(api.clock.now());
    let mut conn = api.conn().await?;
    let user = bearer.caller(&mut conn).await?.user;
    let Some(password) = given.password else {
        fields.finish()?;
        return Err(Problem::internal("no password and nobody said so"));
    };
    let attempt = Attempt::proof(api, &mut conn, user, now).await?;
    let user = user.as_uuid();
    let hash = users::password_hash(&mut conn, user).await?;
    drop(conn); // a hash takes long
    let hash = hash.ok_or_else(Problem::unauthorized)?;
    let verdict = attempt.compare(api, password, Some(hash.clone())).await?;
    let mut conn = api.conn().await?;
    if matches!(verdict, Verdict::Right { .. }) {
        attempt.succeeded(&mut conn).await?;
        fields.finish()?;
        return Ok(hash);
    }
    let refused = origin
        .event(AuditEvent::PasswordRefused, user, now)
        .with(json!({"for": given.purpose}));
    audit::record(&mut conn, &refused).await?;
    fields.refuse(given.field, "is not your password");
    fields.finish().map_err(|problem| attempt.failed(problem))?;
    Err(Problem::internal("a password was wrong and nobody said so"))
}
