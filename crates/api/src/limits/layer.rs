//! The layer before account routes, and what every limited answer says about its limit.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use models::limit::Allowance;

use super::{Subject, note, spend};
use crate::app::Api;
use crate::client::Client;
use crate::error::Problem;

/// Requests of a window.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// Those that are left.
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Seconds until the next window.
pub(crate) const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Counts what is posted to account routes, per client, before anything of it is read.
///
/// # Errors
/// Those of the routes.
pub(crate) async fn account_routes(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(route) = counted_route(&request) {
        // In a box, so that all other requests do not carry the room that this takes.
        if let Err(problem) = Box::pin(count(&request, route)).await {
            return Ok(request.error_response(problem));
        }
    }
    next.call(request)
        .await
        .map(ServiceResponse::map_into_boxed_body)
}

/// What stands behind `/auth/`, where something is posted there.
fn counted_route(request: &ServiceRequest) -> Option<&str> {
    // As the router reads it: written with escapes, a path leads to the same route.
    let path = request.match_info().as_str();
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let route = path.strip_prefix("/auth/")?;
    // Others are reads, or pages that change nothing.
    let is_change = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    is_change.then_some(route)
}

async fn count(request: &ServiceRequest, route: &str) -> Result<(), Problem> {
    let api = request
        .app_data::<Data<Api>>()
        .ok_or_else(|| Problem::internal("the app has no state"))?;
    let trusted = &api.config.trusted_proxies;
    let network = Client::of(request.peer_addr(), request.headers(), trusted).network();
    let subject = match route {
        "refresh" => Subject::Refresh(network),
        _ => Subject::Auth(network),
    };
    note(request, spend(api, subject).await?);
    Ok(())
}

/// Writes what is known of a limit onto an answer.
pub(crate) fn tell(headers: &mut HeaderMap, allowance: &Allowance) {
    headers.insert(LIMIT, HeaderValue::from(allowance.limit));
    headers.insert(REMAINING, HeaderValue::from(allowance.remaining));
    headers.insert(RESET, HeaderValue::from(allowance.reset_seconds));
}
