//! The public port.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use runtime::Shutdown;

use crate::app::{Api, Near};
use crate::config::Origins;
use crate::meters::Meters;
use crate::{idempotency, limits, middleware, routes};

/// Longer than load balancers keep idle connections, so that it is they who close them.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Who has not sent a request's head by then is holding a connection for nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a closed connection may linger.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Open connections of one HTTP worker: memory, not speed, is what they cost.
const MAX_CONNECTIONS: usize = 10_000;
/// How long requests in flight may take once we stop taking them: with the notice before it no
/// longer than the process' own drain deadline.
const STOP_SECONDS: u64 = 20;
/// How long a browser may remember what CORS allows.
const PREFLIGHT_SECONDS: usize = 600;

/// HTTP workers, each a thread with a runtime: one for each core.
pub(crate) fn workers() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Serves until `shutdown`, then finishes what is in flight.
///
/// # Errors
/// When the listener can't be used.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Data<Api>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&api))
            // This runs on the worker's thread.
            .app_data(Near::new(&api.db))
            .app_data(Meters::default())
            .configure(routes::mount)
            .default_service(web::to(routes::nothing))
            .wrap(from_fn(limits::account_routes))
            .wrap(cors(&api.config.origins))
            .wrap(Compress::default())
            .wrap(from_fn(middleware::around))
    })
    .workers(workers())
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    .max_connections(MAX_CONNECTIONS)
    .shutdown_timeout(STOP_SECONDS)
    .disable_signals()
    .listen(listener)
    .context("listen on the public port")?
    .run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    // Red since it was asked to, and open until load balancers have seen it.
    shutdown.noticed().await;
    handle.stop(true).await;
    running
        .await
        .context("the public port's task")?
        .context("serve the public port")
}

fn cors(origins: &Origins) -> Cors {
    let cors = Cors::default()
        .allowed_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            idempotency::KEY,
            middleware::REQUEST_ID,
        ])
        .expose_headers([
            middleware::REQUEST_ID,
            header::LOCATION,
            header::ETAG,
            idempotency::REPLAYED,
            header::RETRY_AFTER,
            limits::LIMIT,
            limits::REMAINING,
            limits::RESET,
        ])
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_SECONDS);
    match origins {
        Origins::Any => cors.allow_any_origin(),
        Origins::Listed(listed) => listed
            .iter()
            .fold(cors, |cors, origin| cors.allowed_origin(origin)),
    }
}
