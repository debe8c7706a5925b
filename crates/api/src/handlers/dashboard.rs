//! What a tenant watches: overview, one service, its alerts, incidents and latencies.

mod series;

pub(crate) use series::latency;

use actix_web::web::Data;
use db::Conn;
use db::services::Service;
use models::service::Status;
use models::window::Window;
use uuid::Uuid;

use super::{PathId, Query};
use crate::app::{Api, Near};
use crate::auth::{Bearer, Caller};
use crate::cursor::{Position, Scope};
use crate::error::Problem;
use crate::input::{self, Complaint, Node};
use crate::paging::{Page, Pagination};
use crate::reply::{Answer, Reply};
use crate::views::figures::{count, due};
use crate::views::incident::{AlertView, IncidentView, alert, incident};
use crate::views::lists::{AlertList, Dashboard, IncidentList, StatusCounts};
use crate::views::overview::{Loaded, Uptime, overview};
use crate::views::result::{ResultView, result};
use crate::views::service::{Summary, Watched, watched};
use crate::views::ssl::ssl;
use crate::views::sums::sums;

/// `GET /dashboard`: how many services have which status, and a page of them.
pub(crate) async fn all(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let caller = bearer.caller(&mut conn).await?;
        let page = Page::read(&mut fields);
        fields.finish()?;
        let page = page.ok_or_else(unnoticed)?;
        let user = caller.user.as_uuid();
        let found = db::services::counts::by_status(&mut conn, user).await?;
        let number = |status: Status| {
            let row = found.iter().find(|row| row.0 == status.as_str());
            row.map_or(0, |row| count(row.1))
        };
        let counts = StatusCounts {
            unknown: number(Status::Unknown),
            up: number(Status::Up),
            failing: number(Status::Failing),
            down: number(Status::Down),
            paused: number(Status::Paused),
        };
        let scope = scope("dashboard", &caller, String::new());
        let filter = db::services::Filter {
            status: None,
            text: None,
            after: place(&page, &app, &scope)?,
        };
        let limit = page.rows_to_load();
        let mut rows = db::services::page(&mut conn, user, &filter, limit).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, |row| Position {
            at: row.created_at,
            id: row.id,
        });
        let rows = watched(&mut conn, rows).await?;
        let services: Vec<Summary> = rows.iter().map(Watched::summary).collect();
        Reply::ok(&Dashboard {
            counts,
            services,
            pagination,
        })
    })
    .await
}

/// `GET /dashboard/{service_id}`: one service's figures over a window, and a page of its results.
pub(crate) async fn one(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    id: PathId,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let (caller, service) = owned(&mut conn, &bearer, &id).await?;
        let window = fields.optional("window", window).or(("24h", Window::DAY));
        let page = Page::read(&mut fields);
        fields.finish()?;
        let (Some((name, window)), Some(page)) = (window, page) else {
            return Err(unnoticed());
        };
        let results = results(&mut conn, &app, &caller, service.id, &page).await?;
        let id = service.id;
        let ssl_expiry_days = service.ssl_expiry_days;
        let now = app.clock.now();
        let watched = watched(&mut conn, vec![service])
            .await?
            .pop()
            .ok_or_else(Problem::not_found)?;
        let health = &watched.health;
        let uptime = async |conn: &mut Conn, days: u16| {
            let sums = sums(conn, id, Window::days(days), health, now).await;
            sums.map(|sums| sums.checks.uptime())
        };
        let uptime = Uptime {
            day: uptime(&mut conn, 1).await?,
            week: uptime(&mut conn, 7).await?,
            month: uptime(&mut conn, 30).await?,
        };
        let certificates = db::certificates::of_services(&mut conn, &[id]).await?;
        let loaded = Loaded {
            window: name,
            sums: sums(&mut conn, id, window, health, now).await?,
            due: due(&mut conn, id, window, now).await?,
            uptime,
            ssl: certificates
                .first()
                .and_then(|row| ssl(row, ssl_expiry_days, now)),
            results,
        };
        Reply::ok(&overview(&watched, loaded, app.config.sla_min_checks))
    })
    .await
}

async fn results(
    conn: &mut Conn,
    app: &Api,
    caller: &Caller,
    service: Uuid,
    page: &Page,
) -> Result<(Vec<ResultView>, Pagination), Problem> {
    let scope = scope("results", caller, service.to_string());
    let after = place(page, app, &scope)?;
    let limit = page.rows_to_load();
    let mut rows = db::results::page::newest(conn, service, after, limit).await?;
    let pagination = page.close(&mut rows, &app.cursors, &scope, |row| Position {
        at: row.scheduled_at,
        id: row.probe_id,
    });
    Ok((rows.into_iter().map(result).collect(), pagination))
}

/// `GET /dashboard/{service_id}/alerts`
pub(crate) async fn alerts(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    id: PathId,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let (caller, service) = owned(&mut conn, &bearer, &id).await?;
        let page = Page::read(&mut fields);
        fields.finish()?;
        let page = page.ok_or_else(unnoticed)?;
        let scope = scope("alerts", &caller, service.id.to_string());
        let after = place(&page, &app, &scope)?;
        let limit = page.rows_to_load();
        let mut rows = db::alerts::page::newest(&mut conn, service.id, after, limit).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, |row| Position {
            at: row.created_at,
            id: row.id,
        });
        let alerts: Vec<AlertView> = rows.into_iter().map(alert).collect();
        Reply::ok(&AlertList {
            service_id: service.id,
            alerts,
            pagination,
        })
    })
    .await
}

/// `GET /dashboard/{service_id}/incidents`
pub(crate) async fn incidents(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    id: PathId,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let (caller, service) = owned(&mut conn, &bearer, &id).await?;
        let page = Page::read(&mut fields);
        fields.finish()?;
        let page = page.ok_or_else(unnoticed)?;
        let scope = scope("incidents", &caller, service.id.to_string());
        let after = place(&page, &app, &scope)?;
        let limit = page.rows_to_load();
        let mut rows = db::incidents::page::newest(&mut conn, service.id, after, limit).await?;
        let pagination = page.close(&mut rows, &app.cursors, &scope, |row| Position {
            at: row.started_at,
            id: row.id,
        });
        let now = app.clock.now();
        let incidents: Vec<IncidentView> = rows.into_iter().map(|row| incident(row, now)).collect();
        Reply::ok(&IncidentList {
            incidents,
            pagination,
        })
    })
    .await
}

/// The service of the path, which must be the caller's.
async fn owned(
    conn: &mut Conn,
    bearer: &Bearer,
    id: &PathId,
) -> Result<(Caller, Service), Problem> {
    let caller = bearer.caller(conn).await?;
    let service = db::services::find(conn, caller.user.as_uuid(), id.uuid()?)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((caller, service))
}

fn scope(route: &'static str, caller: &Caller, filter: String) -> Scope {
    Scope {
        route,
        user: caller.user,
        filter,
    }
}

/// Where the page begins.
fn place(page: &Page, app: &Api, scope: &Scope) -> Result<Option<(models::Time, Uuid)>, Problem> {
    let after = page.after(&app.cursors, scope)?;
    Ok(after.map(|after| (after.at, after.id)))
}

fn window(node: &Node) -> Result<(&'static str, Window), Complaint> {
    let text = input::text(node)?;
    let named = Window::NAMED.into_iter().find(|named| named.0 == text);
    named.ok_or_else(|| {
        let known: Vec<&str> = Window::NAMED.into_iter().map(|named| named.0).collect();
        format!("must be one of {}", known.join(" "))
    })
}

fn unnoticed() -> Problem {
    Problem::internal("a field was wrong and nobody said so")
}
