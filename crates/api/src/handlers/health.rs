//! Whether the process lives, and whether its dependencies answer.

use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::app::Api;
use crate::reply::{Answer, Reply};
use crate::views::health::{Alive, Health};

/// `GET /healthz`: the process lives.
///
/// # Errors
/// None.
pub(crate) async fn live() -> Answer {
    Reply::ok(&Alive { status: "ok" })
}

/// `GET /readyz`: its dependencies answer; 503 names which does not.
///
/// # Errors
/// None.
pub(crate) async fn ready(api: Data<Api>) -> Answer {
    let snapshot = api.readiness.snapshot();
    let status = if snapshot.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Reasons are the operator's: they stand on the ops port.
    Ok(Reply::json(status, &snapshot.to_public_json())?.retry_later())
}

/// `GET /health`: the original's.
///
/// # Errors
/// None.
pub(crate) async fn health(api: Data<Api>) -> Answer {
    let work = Data::clone(&api);
    let database = api.work(async move { Ok(work.db.ping().await?) }).await;
    let (status, health, database) = match database {
        Ok(()) => (StatusCode::OK, "healthy", "connected"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "disconnected"),
    };
    let view = Health {
        status: health,
        database,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: api.started.elapsed().as_secs(),
    };
    Ok(Reply::json(status, &view)?.retry_later())
}
