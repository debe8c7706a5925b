//! A forgotten password is replaced.

use chrono::SubsecRound as _;
use db::{Conn, api_keys, audit, email_changes, mail_tokens, sessions, users};
use models::account_mail::LinkPurpose;
use models::audit::AuditEvent;
use models::id::UserId;
use secrecy::SecretString;
use serde_json::json;

use super::links;
use crate::app::Api;
use crate::auth::Origin;
use crate::error::Problem;
use crate::limits;

/// Uses the link of a mail: it sets another password, ends every session, revokes every key, voids every other link, and
/// confirms the address, since the link was read there. Whoever had the account before, or registered it in another's
/// name, has nothing left that opens it. What failed before at this account holds its owner up no more.
///
/// # Errors
/// 400 (`invalid-link`), 503, or the database's failure.
pub(crate) async fn reset_password(
    api: &Api,
    token: &str,
    password: SecretString,
    origin: &Origin,
) -> Result<(), Problem> {
    const PURPOSE: [LinkPurpose; 1] = [LinkPurpose::ResetPassword];
    let now = api.clock.now().trunc_subsecs(6);
    // A hash is dear: nobody gets one for a link that does not work.
    links::require(&mut *api.conn().await?, token, &PURPOSE, now).await?;
    let hash = api.passwords.hash(password).await?;
    api.db
        .transaction(async |conn: &mut Conn| {
            let user = links::take(conn, token, &PURPOSE, now).await?.user;
            users::set_password(conn, user, &hash, now).await?;
            users::set_verified(conn, user, now).await?;
            sessions::end_all(conn, user, None, now).await?;
            for (id, name) in api_keys::delete_all(conn, user).await? {
                let event = origin.event(AuditEvent::ApiKeyRevoked, user, now);
                let event = event.with(json!({"id": id, "name": name}));
                audit::record(conn, &event).await?;
            }
            mail_tokens::void(conn, user, &links::names(&LinkPurpose::ALL)).await?;
            email_changes::forget(conn, user).await?;
            if let Some(key) = users::email_key(conn, user).await? {
                limits::forgive(conn, UserId(user), &key).await?;
            }
            let event = origin.event(AuditEvent::PasswordReset, user, now);
            Ok::<_, Problem>(audit::record(conn, &event).await?)
        })
        .await
}
