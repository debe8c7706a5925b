//! What admins do.

pub(crate) mod users;

use actix_web::web::Data;
use db::audit::Filter;
use models::audit::AuditEvent;
use uuid::Uuid;

use super::{Query, audit};
use crate::app::Api;
use crate::auth::Bearer;
use crate::cursor::Scope;
use crate::error::Problem;
use crate::input::{self, Complaint, Node};
use crate::paging::Page;
use crate::reply::{Answer, Reply};
use crate::views::audit::{AnyEntry, AnyEvents, any};

/// `GET /admin/audit`: what happened to accounts, to one of them, or of one kind.
///
/// # Errors
/// 401, 403, 422, 400 for a cursor of another list.
pub(crate) async fn log(api: Data<Api>, bearer: Bearer, Query(mut fields): Query) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let admin = bearer.admin(&mut conn).await?;
        let user = fields.optional("user_id", user_id).or(None);
        let wanted = fields.optional("event", audit::event).or(None);
        let page = Page::read(&mut fields);
        fields.finish()?;
        let (Some(user), Some(wanted), Some(page)) = (user, wanted, page) else {
            return Err(Problem::internal("a field was wrong and nobody said so"));
        };
        let scope = Scope {
            route: "admin/audit",
            user: admin.user,
            filter: format!(
                "{}&{}",
                user.unwrap_or_default(),
                wanted.map(AuditEvent::as_str).unwrap_or_default()
            ),
        };
        let filter = Filter {
            user,
            event: wanted,
            after: page
                .after(&app.cursors, &scope)?
                .map(|after| (after.at, after.id)),
        };
        let mut rows = db::audit::page(&mut conn, &filter, page.rows_to_load()).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, audit::position);
        let events: Vec<AnyEntry> = rows.into_iter().map(any).collect();
        Reply::ok(&AnyEvents { events, pagination })
    })
    .await
}

fn user_id(node: &Node) -> Result<Option<Uuid>, Complaint> {
    let id = input::text(node)?.parse().ok();
    id.map(Some).ok_or_else(|| "must be an id".to_owned())
}
