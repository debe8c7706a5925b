//! Where a user is logged in, and how he ends it.

use actix_web::web::Data;
use db::refresh_tokens::Holder;
use db::sessions::{self, Session};
use db::{Conn, audit, users};
use models::account_mail::LinkPurpose;
use models::audit::AuditEvent;
use uuid::Uuid;

use super::auth::{logged_in, to_micros};
use super::proof::{Given, prove};
use super::{NoQuery, PathId};
use crate::app::Api;
use crate::auth::{self, Bearer, Origin, Pair, account};
use crate::error::Problem;
use crate::input::{Body, NoFields};
use crate::reply::{Answer, Reply};
use crate::views::account::{SessionList, SessionView};
use crate::views::format;

/// `GET /auth/sessions`: all of them, the last used first.
///
/// # Errors
/// 401.
pub(crate) async fn list(api: Data<Api>, bearer: Bearer, _query: NoQuery) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let user = bearer.caller(&mut conn).await?.user.as_uuid();
        let listed = sessions::list(&mut conn, user, app.clock.now()).await?;
        let sessions = listed
            .iter()
            .map(|session| view(session, bearer.session()))
            .collect();
        Reply::ok(&SessionList { sessions })
    })
    .await
}

fn view(session: &Session, current: Option<Uuid>) -> SessionView {
    SessionView {
        id: session.id,
        created_at: format::time(session.created_at),
        last_used_at: format::time(session.last_used_at),
        client_address: session.client_address.clone(),
        user_agent: session.user_agent.clone(),
        current: current == Some(session.id),
    }
}

/// `DELETE /auth/sessions/{id}`: its tokens end at once.
///
/// # Errors
/// 401, 404.
pub(crate) async fn end(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    _query: NoQuery,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = to_micros(app.clock.now());
        app.db
            .transaction(async |conn: &mut Conn| {
                let user = bearer.caller(conn).await?.user.as_uuid();
                let id = id.uuid()?;
                if !sessions::is_of(conn, user, id, now).await? {
                    return Err(Problem::not_found());
                }
                sessions::end(conn, user, id, now).await?;
                let revoked = origin.event(AuditEvent::SessionRevoked, user, now);
                audit::record(conn, &revoked).await?;
                Ok::<_, Problem>(())
            })
            .await?;
        Ok(Reply::no_content())
    })
    .await
}

/// `POST /auth/logout-all`: every token of the user ends at once, this one too.
///
/// # Errors
/// 401.
pub(crate) async fn logout_all(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    _body: NoFields,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = to_micros(app.clock.now());
        app.db
            .transaction(async |conn: &mut Conn| {
                let user = bearer.caller_locked(conn).await?.user.as_uuid();
                users::raise_epoch(conn, user).await?;
                sessions::end_all(conn, user, None, now).await?;
                let ended = origin.event(AuditEvent::LoggedOutEverywhere, user, now);
                audit::record(conn, &ended).await?;
                Ok::<_, Problem>(())
            })
            .await?;
        Ok(Reply::no_content())
    })
    .await
}

/// `POST /auth/change-password`: ends every other session at once and answers a new pair for this one.
///
/// # Errors
/// 401, 422, 429, 503.
pub(crate) async fn change_password(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    Body(mut fields): Body,
) -> Answer {
    let current = fields.required("current_password", account::secret);
    let new = fields.required("new_password", account::new_password);
    let given = Given {
        field: "current_password",
        password: current,
        purpose: "change_password",
    };
    let app = Data::clone(&api);
    api.work(async move {
        let compared = prove(&app, &bearer, &origin, given, fields).await?;
        let new = new.ok_or_else(|| Problem::internal("no password and nobody said so"))?;
        let hash = app.passwords.hash(new).await?;
        let pair = app
            .db
            .transaction(async |conn: &mut Conn| {
                replace_password(conn, &app, &bearer, (&compared, &hash), &origin).await
            })
            .await?;
        logged_in(&app, &pair)
    })
    .await
}

/// Links that a new password voids.
const VOIDED: [LinkPurpose; 3] = [
    LinkPurpose::ResetPassword,
    LinkPurpose::LeaveAddress,
    LinkPurpose::TakeAddress,
];

async fn replace_password(
    conn: &mut Conn,
    api: &Api,
    bearer: &Bearer,
    (compared, new): (&str, &str),
    origin: &Origin,
) -> Result<Pair, Problem> {
    let now = to_micros(api.clock.now());
    let user = bearer.caller_locked(conn).await?.user.as_uuid();
    if users::password_hash(conn, user).await?.as_deref() != Some(compared) {
        return Err(Problem::unauthorized()); // changed meanwhile, which ended this token too
    }
    let epoch = users::set_password(conn, user, new, now).await?;
    // Whoever asked for these may not be the user.
    db::mail_tokens::void(conn, user, &VOIDED.map(LinkPurpose::as_str)).await?;
    db::email_changes::forget(conn, user).await?;
    sessions::end_all(conn, user, bearer.session(), now).await?;
    let changed = origin.event(AuditEvent::PasswordChanged, user, now);
    audit::record(conn, &changed).await?;
    let holder = Holder {
        user_id: user,
        session_id: bearer.session().unwrap_or_else(Uuid::now_v7),
        token_epoch: epoch,
    };
    match bearer.session() {
        Some(_) => auth::renew_session(conn, &api.tokens, holder, now).await,
        None => auth::start_session(conn, &api.tokens, holder, origin, now).await,
    }
}
