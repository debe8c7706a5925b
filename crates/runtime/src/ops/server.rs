//! A small HTTP/1.1 server for operators; never reachable by the public.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Readiness;
use crate::env::OpsConfig;
use crate::telemetry::{self, UPKEEP_EVERY};

/// A scraper, an orchestrator's probes and a curious person need a handful at once.
const MAX_CONNECTIONS: usize = 32;
/// Who has not sent a request head by then is not a scraper.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection carries one request and is over by then.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after a failed accept (no file handles left): the next would fail at once as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The ops port of one process, open until [`OpsServer::stop`].
#[derive(Debug)]
pub struct OpsServer {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl OpsServer {
    /// Listens and answers from a task of its own, with the program's metrics registry.
    ///
    /// # Errors
    /// When the address cannot be listened on; says which, and by which settings.
    pub async fn start(config: OpsConfig, readiness: Readiness) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            let listen = config.listen;
            let told = format!("listen on {listen} (OPS_BIND, OPS_PORT): {error}");
            std::io::Error::new(error.kind(), told)
        })?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let pages = Pages {
            readiness,
            metrics: telemetry::metrics_registry(),
        };
        let task = tokio::spawn(serve(listener, Arc::new(pages), stop.clone()));
        tracing::info!(ops.address = %address, "ops port open");
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens (the port that was picked, where 0 was asked for).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port: the last thing a process does.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the ops port had died");
        }
    }
}

struct Pages {
    readiness: Readiness,
    metrics: PrometheusHandle,
}

async fn serve(listener: TcpListener, pages: Arc<Pages>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            _ = upkeep.tick() => {
                pages.metrics.run_upkeep();
                continue;
            }
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let pages = Arc::clone(&pages);
        let stop = stop.clone();
        connections.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = answer(stream, pages) => {}
            }
            drop(slot);
        });
    }
    connections.close();
    connections.wait().await;
}

/// A connection together with its slot. Cancel safe: a slot taken in vain is given back.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!(%error, "the ops port could not accept a connection");
            None
        }
    }
}

async fn answer(stream: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request| {
        let response = pages.respond(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an ops connection failed"),
        Err(_) => tracing::debug!("an ops connection took too long"),
    }
}

impl Pages {
    fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
        let path = request.uri().path();
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return page(StatusCode::NOT_FOUND, TEXT, "not found\n".into());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".into());
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => page(StatusCode::OK, TEXT, "ok\n".into()),
            "/metrics" => page(StatusCode::OK, METRICS, self.metrics.render()),
            _ => {
                let snapshot = self.readiness.snapshot();
                let status = if snapshot.is_ready() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                page(status, "application/json", snapshot.to_json().to_string())
            }
        }
    }
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
