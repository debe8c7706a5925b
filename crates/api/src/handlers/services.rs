//! Services: create, list, show, change, delete, probe now.

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use db::services::whole::Question;
use db::services::{Filter, Service};
use models::service::Status;
use models::window::Window;

use super::{NoQuery, PathId, Query};
use crate::app::{Api, Near};
use crate::auth::Bearer;
use crate::cursor::{Position, Scope};
use crate::error::Problem;
use crate::etag::{self, IfMatch};
use crate::idempotency::{self, IdempotencyKey};
use crate::input::{self, Body, Fields, NoFields};
use crate::paging::Page;
use crate::reply::{Answer, Reply};
use crate::services::{self, Created, NewService, Patch};
use crate::views;
use crate::views::figures::due_since;
use crate::views::lists::{ProbeAsked, ServiceList};
use crate::views::service::{Summary, full, watched};

/// `POST /services`
///
/// # Errors
/// 401, 422, 409.
pub(crate) async fn create(
    api: Data<Api>,
    bearer: Bearer,
    key: IdempotencyKey,
    Body(mut fields): Body,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let shortest = app.config.limits.min_interval_seconds;
        let new = NewService::read(&mut fields, &app.url_judge, shortest).await;
        if !fields.is_clean() {
            // Who has no standing learns nothing about his fields.
            bearer.caller(&mut *app.conn().await?).await?;
        }
        fields.finish()?;
        let new = new.ok_or_else(|| Problem::internal("a field was wrong and nobody said so"))?;
        created(services::create(&app, &bearer, &new, &key).await?)
    })
    .await
}

fn created(created: Created) -> Answer {
    let location = format!("/api/v1/services/{}", created.id);
    let body = created.body.into_bytes();
    let reply = Reply::bytes(StatusCode::CREATED, "application/json", body)
        .with(header::LOCATION, location)?
        .with(header::ETAG, created.etag)?;
    if created.is_replayed {
        return reply.with(idempotency::REPLAYED, "true");
    }
    Ok(reply)
}

/// `GET /services`
///
/// # Errors
/// 401, 422, 400 for a cursor of another list.
pub(crate) async fn list(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let caller = bearer.caller(&mut conn).await?;
        let status = fields.optional("status", status).or(String::new());
        let text = fields.optional("q", |node| input::text(node).map(str::to_owned));
        let page = Page::read(&mut fields);
        fields.finish()?;
        let (Some(status), Some(text), Some(page)) = (status, text.or(String::new()), page) else {
            return Err(Problem::internal("a field was wrong and nobody said so"));
        };
        let scope = Scope {
            route: "services",
            user: caller.user,
            filter: format!("{status}&{text}"),
        };
        let filter = Filter {
            status: Some(status).filter(|status| !status.is_empty()),
            text: Some(text).filter(|text| !text.is_empty()),
            after: page
                .after(&app.cursors, &scope)?
                .map(|after| (after.at, after.id)),
        };
        let limit = page.rows_to_load();
        let mut rows = db::services::page(&mut conn, caller.user.as_uuid(), &filter, limit).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, position);
        let rows = watched(&mut conn, rows).await?;
        let summaries: Vec<Summary> = rows.iter().map(|row| row.summary()).collect();
        Reply::ok(&ServiceList {
            services: summaries,
            pagination,
        })
    })
    .await
}

fn status(node: &input::Node) -> Result<String, input::Complaint> {
    let text = input::text(node)?;
    match Status::from_name(text) {
        Some(status) => Ok(status.as_str().to_owned()),
        None => {
            let known: Vec<&str> = Status::ALL.into_iter().map(Status::as_str).collect();
            Err(format!("must be one of {}", known.join(" ")))
        }
    }
}

fn position(service: &Service) -> Position {
    Position {
        at: service.created_at,
        id: service.id,
    }
}

/// `GET /services/{id}`
///
/// # Errors
/// 401, 404.
pub(crate) async fn show(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    id: PathId,
    _query: NoQuery,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let id = authorized_id(&app, &bearer, &id).await?;
        let now = app.clock.now();
        let window = Window::days(app.config.sla_window_days);
        let (from, young) = due_since(window, now);
        let question = Question {
            user: bearer.user().as_uuid(),
            session: bearer.session(),
            service: id,
            spans_since: from,
            young_since: young.start,
            young_before: young.end,
        };
        let (standing, whole) =
            db::services::whole::whole(&mut *near.conn(&app).await?, &question).await?;
        bearer.admit(standing).await?;
        let whole = whole.ok_or_else(Problem::not_found)?;
        let etag = etag::of(&whole.service);
        Reply::ok(&views::service::whole(whole, from, now))?.with(header::ETAG, etag)
    })
    .await
}

/// `PUT` and `PATCH /services/{id}`: what is left out stays.
///
/// # Errors
/// 401, 404, 412, 422, 409.
pub(crate) async fn edit(
    api: Data<Api>,
    bearer: Bearer,
    id: PathId,
    if_match: IfMatch,
    Body(mut fields): Body,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let patch = read_patch(&mut fields, &app);
        let id = authorized_id(&app, &bearer, &id).await?;
        let service = services::edit(&app, &bearer, id, &if_match, (&patch, &fields)).await?;
        shown(&app, service).await
    })
    .await
}

fn read_patch(fields: &mut Fields, api: &Api) -> Patch {
    Patch::read(fields, api.config.limits.min_interval_seconds)
}

/// `DELETE /services/{id}`
///
/// # Errors
/// 401, 404, 412.
pub(crate) async fn delete(
    api: Data<Api>,
    bearer: Bearer,
    id: PathId,
    if_match: IfMatch,
    _query: NoQuery,
) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let id = authorized_id(&app, &bearer, &id).await?;
        services::delete(&app, &bearer, id, &if_match).await?;
        Ok(Reply::no_content())
    })
    .await
}

/// `POST /services/{id}/probe`
///
/// # Errors
/// 401, 404, 409, 415, 422, 429.
pub(crate) async fn probe(api: Data<Api>, bearer: Bearer, id: PathId, _body: NoFields) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let id = authorized_id(&app, &bearer, &id).await?;
        let probe_id = services::probe_now(&app, &bearer, id).await?;
        Reply::accepted(&ProbeAsked {
            probe_id: probe_id.as_uuid(),
        })
    })
    .await
}

/// The id, where the caller has standing: an id that is none is 404 only for him.
async fn authorized_id(api: &Api, bearer: &Bearer, id: &PathId) -> Result<uuid::Uuid, Problem> {
    match id.uuid() {
        Ok(id) => Ok(id),
        Err(not_found) => {
            // In a box, so that good ids do not carry the room that this takes.
            Box::pin(async { bearer.caller(&mut *api.conn().await?).await }).await?;
            Err(not_found)
        }
    }
}

/// The service in full, with its version.
async fn shown(api: &Api, service: Service) -> Answer {
    let etag = etag::of(&service);
    let mut conn = api.conn().await?;
    let days = api.config.sla_window_days;
    let full = full(&mut conn, service, days, api.clock.now()).await?;
    Reply::ok(&full)?.with(header::ETAG, etag)
}
