//! An address is confirmed.

use chrono::SubsecRound as _;
use db::{Conn, audit, users};
use models::account_mail::LinkPurpose;
use models::audit::AuditEvent;

use super::links;
use crate::app::Api;
use crate::auth::Origin;
use crate::error::Problem;

/// Uses the link of a mail that went to the address.
///
/// # Errors
/// 400 (`invalid-link`), or the database's failure.
pub(crate) async fn verify(api: &Api, token: &str, origin: &Origin) -> Result<(), Problem> {
    let now = api.clock.now().trunc_subsecs(6);
    api.db
        .transaction(async |conn: &mut Conn| {
            let used = links::take(conn, token, &[LinkPurpose::VerifyEmail], now).await?;
            users::set_verified(conn, used.user, now).await?;
            let event = origin.event(AuditEvent::EmailVerified, used.user, now);
            Ok::<_, Problem>(audit::record(conn, &event).await?)
        })
        .await
}
