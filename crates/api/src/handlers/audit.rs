//! The audit log, as a user reads it of himself.

use actix_web::web::Data;
use db::audit::{Entry, Filter};
use models::audit::AuditEvent;

use super::Query;
use crate::app::Api;
use crate::auth::Bearer;
use crate::cursor::{Position, Scope};
use crate::error::Problem;
use crate::input::{self, Complaint, Node};
use crate::paging::Page;
use crate::reply::{Answer, Reply};
use crate::views::audit::{OwnEntry, OwnEvents, own};

/// `GET /audit`: what happened to the caller's account.
///
/// # Errors
/// 401, 422, 400 for a cursor of another list.
pub(crate) async fn mine(api: Data<Api>, bearer: Bearer, Query(mut fields): Query) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let caller = bearer.caller(&mut conn).await?;
        let wanted = fields.optional("event", event).or(None);
        let page = Page::read(&mut fields);
        fields.finish()?;
        let (Some(wanted), Some(page)) = (wanted, page) else {
            return Err(Problem::internal("a field was wrong and nobody said so"));
        };
        let scope = Scope {
            route: "audit",
            user: caller.user,
            filter: wanted
                .map(AuditEvent::as_str)
                .unwrap_or_default()
                .to_owned(),
        };
        let filter = Filter {
            user: Some(caller.user.as_uuid()),
            event: wanted,
            after: page
                .after(&app.cursors, &scope)?
                .map(|after| (after.at, after.id)),
        };
        let mut rows = db::audit::page(&mut conn, &filter, page.rows_to_load()).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, position);
        let events: Vec<OwnEntry> = rows.into_iter().map(own).collect();
        Reply::ok(&OwnEvents { events, pagination })
    })
    .await
}

/// The kind of event to show.
///
/// # Errors
/// The sentence for the client.
pub(super) fn event(node: &Node) -> Result<Option<AuditEvent>, Complaint> {
    let text = input::text(node)?;
    match AuditEvent::from_name(text) {
        Some(event) => Ok(Some(event)),
        None => {
            let known: Vec<&str> = AuditEvent::ALL.iter().map(|event| event.as_str()).collect();
            Err(format!("must be one of {}", known.join(" ")))
        }
    }
}

pub(super) fn position(entry: &Entry) -> Position {
    Position {
        at: entry.at,
        id: entry.id,
    }
}
