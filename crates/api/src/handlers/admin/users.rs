//! Accounts, as admins find and change them.

use std::collections::HashMap;

use actix_web::web::Data;
use chrono::SubsecRound as _;
use db::Conn;
use db::users::admin::{self, Administered, Filter};
use db::{sessions, users};
use models::audit::AuditEvent;
use serde_json::json;
use uuid::Uuid;

use crate::accounts;
use crate::app::Api;
use crate::auth::{Bearer, Caller, Origin};
use crate::cursor::{Position, Scope};
use crate::error::Problem;
use crate::handlers::{PathId, Query};
use crate::input::{self, Body, Complaint, Fields, MaybeBody, Node};
use crate::paging::Page;
use crate::problems;
use crate::reply::{Answer, Reply};
use crate::views::user::{UserList, UserView, user};

/// More services than anybody has.
const MAX_QUOTA: i64 = 1_000_000;

/// `GET /admin/users`
///
/// # Errors
/// 401, 403, 422, 400 for a cursor of another list.
pub(crate) async fn list(api: Data<Api>, bearer: Bearer, Query(mut fields): Query) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let admin = bearer.admin(&mut conn).await?;
        let text = fields.optional("q", |node| input::text(node).map(str::to_owned));
        let page = Page::read(&mut fields);
        fields.finish()?;
        let (Some(text), Some(page)) = (text.or(String::new()), page) else {
            return Err(Problem::internal("a field was wrong and nobody said so"));
        };
        let scope = Scope {
            route: "admin/users",
            user: admin.user,
            filter: text.clone(),
        };
        let filter = Filter {
            text: Some(text).filter(|text| !text.is_empty()),
            after: page
                .after(&app.cursors, &scope)?
                .map(|after| (after.at, after.id)),
        };
        let mut rows = admin::page(&mut conn, &filter, page.rows_to_load()).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, |account| Position {
            at: account.created_at,
            id: account.id,
        });
        let users = shown(&mut conn, &app, &rows).await?;
        Reply::ok(&UserList { users, pagination })
    })
    .await
}

/// `GET /admin/users/{id}`
///
/// # Errors
/// 401, 403, 404, 422.
pub(crate) async fn show(
    api: Data<Api>,
    bearer: Bearer,
    id: PathId,
    Query(fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        bearer.admin(&mut conn).await?;
        fields.finish()?;
        reply(&mut conn, &app, id.uuid()?).await
    })
    .await
}

/// `PUT /admin/users/{id}/quota`: `{"services": n}`, or `null` for what everybody has. Services beyond a lower quota
/// stay; new ones need room.
///
/// # Errors
/// 401, 403, 404, 422.
pub(crate) async fn set_quota(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    Body(mut fields): Body,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let admin = bearer.admin(&mut *app.conn().await?).await?;
        let services = fields.required("services", quota);
        fields.finish()?;
        let services =
            services.ok_or_else(|| Problem::internal("a field was wrong and nobody said so"))?;
        let id = id.uuid()?;
        let now = app.clock.now().trunc_subsecs(6);
        let event = origin
            .event(AuditEvent::QuotaChanged, id, now)
            .by(admin.user.as_uuid())
            .with(json!({"services": services}));
        app.db
            .transaction(async |conn: &mut Conn| {
                if !admin::set_quota(conn, id, services, now).await? {
                    return Err(Problem::not_found());
                }
                db::audit::record(conn, &event).await?;
                Ok::<_, Problem>(())
            })
            .await?;
        reply(&mut *app.conn().await?, &app, id).await
    })
    .await
}

/// `POST /admin/users/{id}/lock`: ends every token and key at once, and keeps the account from logging in. Its
/// services go on: they are probed, and their alerts are sent.
///
/// # Errors
/// 401, 403, 404, 409 (`own-account`, `last-admin`), 422.
pub(crate) async fn lock(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    MaybeBody(fields): MaybeBody,
) -> Answer {
    turn(api, bearer, origin, id, (fields, AuditEvent::Locked)).await
}

/// `POST /admin/users/{id}/unlock`: the account can log in again, and its keys hold again.
///
/// # Errors
/// 401, 403, 404, 422.
pub(crate) async fn unlock(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    MaybeBody(fields): MaybeBody,
) -> Answer {
    turn(api, bearer, origin, id, (fields, AuditEvent::Unlocked)).await
}

async fn turn(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    (fields, kind): (Fields, AuditEvent),
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let admin = bearer.admin(&mut *app.conn().await?).await?;
        fields.finish()?;
        let id = id.uuid()?;
        refuse_self(&admin, id, kind)?;
        let now = app.clock.now().trunc_subsecs(6);
        let event = origin.event(kind, id, now).by(admin.user.as_uuid());
        app.db
            .transaction(async |conn: &mut Conn| {
                if kind == AuditEvent::Locked {
                    accounts::keep_one_admin(conn, id).await?;
                }
                let standing = users::lock(conn, id, None)
                    .await?
                    .ok_or_else(Problem::not_found)?;
                match (kind, standing.locked_at) {
                    (AuditEvent::Locked, None) => {
                        admin::lock_account(conn, id, now).await?;
                        sessions::end_all(conn, id, None, now).await?;
                    }
                    (AuditEvent::Unlocked, Some(_)) => admin::unlock_account(conn, id, now).await?,
                    _ => return Ok(()), // it is so already
                }
                db::audit::record(conn, &event).await?;
                Ok::<_, Problem>(())
            })
            .await?;
        reply(&mut *app.conn().await?, &app, id).await
    })
    .await
}

fn refuse_self(admin: &Caller, id: Uuid, kind: AuditEvent) -> Result<(), Problem> {
    if kind != AuditEvent::Locked || admin.user.as_uuid() != id {
        return Ok(());
    }
    Err(Problem::new(
        &problems::OWN_ACCOUNT,
        "Another admin may lock your account.",
    ))
}

fn quota(node: &Node) -> Result<Option<i32>, Complaint> {
    if matches!(node, Node::Null) {
        return Ok(None);
    }
    let services = input::integer(node, &(0..=MAX_QUOTA))?;
    i32::try_from(services)
        .map(Some)
        .map_err(|error| error.to_string())
}

async fn reply(conn: &mut Conn, api: &Api, id: Uuid) -> Answer {
    let account = admin::find(conn, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let users = shown(conn, api, &[account]).await?;
    Reply::ok(&users.first().ok_or_else(Problem::not_found)?)
}

async fn shown(
    conn: &mut Conn,
    api: &Api,
    accounts: &[Administered],
) -> Result<Vec<UserView>, Problem> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id).collect();
    let used = admin::active_services(conn, &ids).await?;
    let used: HashMap<Uuid, i64> = used.into_iter().collect();
    let default = api.config.limits.service_quota;
    let view = |account: &Administered| {
        let used = used.get(&account.id).copied().unwrap_or(0);
        user(account, used, default)
    };
    Ok(accounts.iter().map(view).collect())
}
