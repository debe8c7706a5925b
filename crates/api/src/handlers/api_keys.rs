//! Keys for machines: make, list, rotate, revoke. Only a session may, never a key.

use actix_web::web::Data;
use chrono::{DateTime, Datelike as _, SubsecRound as _};
use db::Conn;
use db::api_keys::{self, ApiKey};
use models::Time;
use models::audit::AuditEvent;
use models::service::ServiceName;
use serde_json::json;
use uuid::Uuid;

use super::{NoQuery, PathId, Query};
use crate::app::Api;
use crate::auth::{Bearer, KeyScope, NewKey, Origin};
use crate::cursor::{Position, Scope};
use crate::error::Problem;
use crate::input::{self, Body, Complaint, NoFields, Node};
use crate::paging::Page;
use crate::problems;
use crate::reply::{Answer, Reply};
use crate::views::api_key::{KeyList, shown, shown_once};

/// Keys of one user: enough for every machine of a team, few enough to look through.
const MAX_KEYS: i64 = 20;
/// The last year that a time of the contract can name.
const LAST_YEAR: i32 = 9999;

/// `POST /api-keys`: the only answer that shows the key.
///
/// # Errors
/// 401, 403 for a key, 422, 409 (`api-key-limit`).
pub(crate) async fn create(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    Body(mut fields): Body,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = app.clock.now().trunc_subsecs(6);
        let name = fields.required("name", name);
        let scope = fields.required("scope", scope);
        let expires_at = fields
            .optional("expires_at", |node| expiry(node, now))
            .or(None);
        if !fields.is_clean() {
            // Who has no standing learns nothing about his fields.
            bearer.caller(&mut *app.conn().await?).await?;
        }
        fields.finish()?;
        let (Some(name), Some(scope), Some(expires_at)) = (name, scope, expires_at) else {
            return Err(Problem::internal("a field was wrong and nobody said so"));
        };
        let new = NewKey::new(rand::random());
        let key = ApiKey {
            id: Uuid::now_v7(),
            user_id: bearer.user().as_uuid(),
            name,
            scope: scope.as_str().to_owned(),
            prefix: new.prefix,
            key_hash: new.hash,
            created_at: now,
            rotated_at: None,
            expires_at,
            last_used_at: None,
        };
        add(&app, &bearer, &key, &origin).await?;
        Ok(Reply::created(&shown_once(&key, &new.text.into()), None)?.secret())
    })
    .await
}

async fn add(api: &Api, bearer: &Bearer, key: &ApiKey, origin: &Origin) -> Result<(), Problem> {
    let _turn = api.turns.take(bearer.user()).await?;
    let event = origin
        .event(AuditEvent::ApiKeyCreated, key.user_id, key.created_at)
        .with(json!({"id": key.id, "name": key.name, "scope": key.scope}));
    api.db
        .transaction(async |conn: &mut Conn| {
            bearer.caller_locked(conn).await?;
            if api_keys::count(conn, key.user_id).await? >= MAX_KEYS {
                return Err(Problem::new(
                    &problems::API_KEY_LIMIT,
                    format!("You may have {MAX_KEYS} keys. Revoke one first."),
                ));
            }
            api_keys::insert(conn, key).await?;
            db::audit::record(conn, &event).await?;
            Ok::<_, Problem>(())
        })
        .await
}

/// `GET /api-keys`
///
/// # Errors
/// 401, 403 for a key, 422, 400 for a cursor of another list.
pub(crate) async fn list(api: Data<Api>, bearer: Bearer, Query(mut fields): Query) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let caller = bearer.caller(&mut conn).await?;
        let page = Page::read(&mut fields);
        fields.finish()?;
        let page = page.ok_or_else(|| Problem::internal("a field was wrong and nobody said so"))?;
        let scope = Scope {
            route: "api-keys",
            user: caller.user,
            filter: String::new(),
        };
        let after = page
            .after(&app.cursors, &scope)?
            .map(|after| (after.at, after.id));
        let limit = page.rows_to_load();
        let mut rows = api_keys::page(&mut conn, caller.user.as_uuid(), after, limit).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, |key| Position {
            at: key.created_at,
            id: key.id,
        });
        let api_keys = rows.iter().map(shown).collect();
        Reply::ok(&KeyList {
            api_keys,
            pagination,
        })
    })
    .await
}

/// `POST /api-keys/{id}/rotate`: another secret in place of the old one, which ends at once.
///
/// # Errors
/// 401, 403 for a key, 404, 409 (`api-key-expired`).
pub(crate) async fn rotate(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    _body: NoFields,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = app.clock.now().trunc_subsecs(6);
        let new = NewKey::new(rand::random());
        let key = app
            .db
            .transaction(async |conn: &mut Conn| {
                let user = bearer.caller(conn).await?.user.as_uuid();
                let secret = (new.prefix.as_str(), new.hash.as_slice());
                let key = api_keys::rotate(conn, user, id.uuid()?, secret, now)
                    .await?
                    .ok_or_else(Problem::not_found)?;
                if key.expires_at.is_some_and(|end| end <= now) {
                    return Err(Problem::new(
                        &problems::API_KEY_EXPIRED,
                        "Another secret would not hold either. Make a new key.",
                    ));
                }
                let event = origin
                    .event(AuditEvent::ApiKeyRotated, user, now)
                    .with(json!({"id": key.id, "name": key.name}));
                db::audit::record(conn, &event).await?;
                Ok::<_, Problem>(key)
            })
            .await?;
        Ok(Reply::ok(&shown_once(&key, &new.text.into()))?.secret())
    })
    .await
}

/// `DELETE /api-keys/{id}`
///
/// # Errors
/// 401, 403 for a key, 404.
pub(crate) async fn revoke(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    id: PathId,
    _query: NoQuery,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = app.clock.now().trunc_subsecs(6);
        app.db
            .transaction(async |conn: &mut Conn| {
                let user = bearer.caller(conn).await?.user.as_uuid();
                let id = id.uuid()?;
                let name = api_keys::delete(conn, user, id)
                    .await?
                    .ok_or_else(Problem::not_found)?;
                let event = origin
                    .event(AuditEvent::ApiKeyRevoked, user, now)
                    .with(json!({"id": id, "name": name}));
                db::audit::record(conn, &event).await?;
                Ok::<_, Problem>(())
            })
            .await?;
        Ok(Reply::no_content())
    })
    .await
}

fn name(node: &Node) -> Result<String, Complaint> {
    // The rule of every name that a tenant gives.
    let name = ServiceName::parse(input::text(node)?).map_err(|refused| refused.to_string())?;
    Ok(name.as_str().to_owned())
}

fn scope(node: &Node) -> Result<KeyScope, Complaint> {
    let known = || {
        format!(
            "must be one of {}",
            KeyScope::ALL.map(KeyScope::as_str).join(" ")
        )
    };
    KeyScope::from_name(input::text(node)?).ok_or_else(known)
}

fn expiry(node: &Node, now: Time) -> Result<Option<Time>, Complaint> {
    if matches!(node, Node::Null) {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(input::text(node)?)
        .map_err(|_not_a_time| "must be a time such as 2026-01-31T12:00:00Z".to_owned())?;
    // As it is stored: a leap second is the one after it.
    let time = DateTime::from_timestamp_micros(time.timestamp_micros())
        .filter(|time| time.year() <= LAST_YEAR)
        .ok_or_else(|| format!("must not lie after the year {LAST_YEAR} (UTC)"))?;
    if time <= now {
        return Err("must lie in the future".to_owned());
    }
    Ok(Some(time))
}
