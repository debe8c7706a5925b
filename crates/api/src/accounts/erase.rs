//! An account goes.

use chrono::SubsecRound as _;
use db::{Conn, audit};
use models::audit::AuditEvent;

use super::admins;
use crate::app::Api;
use crate::auth::{Bearer, Origin};
use crate::error::Problem;

/// Deletes the caller's account with everything of it; history is removed in the background. The audit log keeps that
/// something happened, and nothing that tells to whom.
///
/// # Errors
/// 401, 409 (`last-admin`), or the database's failure.
pub(crate) async fn erase(api: &Api, bearer: &Bearer, origin: &Origin) -> Result<(), Problem> {
    let _turn = api.turns.take(bearer.user()).await?;
    let now = api.clock.now().trunc_subsecs(6);
    api.db
        .transaction(async |conn: &mut Conn| {
            let user = bearer.caller(conn).await?.user.as_uuid();
            admins::keep_one(conn, user).await?;
            db::erase::account(conn, user, now).await?;
            let event = origin.event(AuditEvent::AccountDeleted, user, now);
            audit::record(conn, &event).await?;
            audit::forget(conn, user).await?;
            Ok::<_, Problem>(())
        })
        .await
}
