//! A service that goes, at once for everybody who looks.

use db::{Conn, purge, services};
use models::alert::EndReason;
use uuid::Uuid;

use super::edit::{lock, silence};
use super::stamp::Stamp;
use crate::app::Api;
use crate::auth::Bearer;
use crate::error::Problem;
use crate::etag::IfMatch;

/// Deletes a service; its history is removed in the background.
///
/// # Errors
/// 401, 404, 412, or the database's failure.
pub(crate) async fn delete(
    api: &Api,
    bearer: &Bearer,
    id: Uuid,
    if_match: &IfMatch,
) -> Result<(), Problem> {
    api.db
        .transaction(async |conn: &mut Conn| {
            let user = bearer.caller(conn).await?.user.as_uuid();
            services::find(conn, user, id)
                .await?
                .ok_or_else(Problem::not_found)?;
            if_match.require(&lock(conn, user, id).await?)?;
            let stamp = Stamp::take(conn, &api.clock).await?;
            silence(conn, id, EndReason::Deleted, stamp).await?;
            services::delete(conn, id).await?;
            purge::ask(conn, id, user, stamp.at).await?;
            stamp.require_fresh()
        })
        .await
}
