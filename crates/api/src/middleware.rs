//! Around every answer: the request id, problems in one shape, security headers, and a count.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    self, AcceptEncoding, Encoding, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use models::limit::Allowance;
use serde_json::json;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::error::Problem;
use crate::limits;
use crate::meters::Meters;
use crate::reply::IDENTITY;

/// The header by which a request is found in the logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_REQUEST_ID_BYTES: usize = 64;

/// What a JSON answer needs so that no browser makes anything else of it.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    // Nothing that a tenant reads may lie in a shared cache.
    (header::CACHE_CONTROL, "no-store"),
];

/// Wraps every request; the outermost layer.
///
/// # Errors
/// Only what no inner layer turned into an answer, as a rendered problem.
pub(crate) async fn around(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request_id(request.headers());
    let method = request.method().clone();
    let started = Instant::now();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method);
    take_any_encoding(&mut request);
    let outcome = next.call(request).instrument(span.clone()).await;
    let _entered = span.enter();
    let mut response = match outcome {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            let mut rendered = render(&problem_of(&error), &id);
            finish(rendered.headers_mut(), &id);
            return Err(InternalError::from_response(error, rendered).into());
        }
    };
    if let Some(problem) = unrendered(&response) {
        if let Some(left) = problem.parts().nearing {
            limits::note(response.request(), left);
        }
        let headers = response.headers().clone();
        let (request, _bare) = response.into_parts();
        let mut rendered = render(&problem, &id);
        keep_others(rendered.headers_mut(), &headers);
        response = ServiceResponse::new(request, rendered);
    }
    let allowance = response.request().extensions().get::<Allowance>().copied();
    if let Some(allowance) = allowance.filter(|_| !response.headers().contains_key(limits::LIMIT)) {
        limits::tell(response.headers_mut(), &allowance);
    }
    finish(response.headers_mut(), &id);
    measure(&response, &method, started);
    Ok(response)
}

/// Who refuses every encoding that we have, plain bytes among them, gets plain bytes (RFC 9110, 12.5.3): a 406 would help
/// nobody.
fn take_any_encoding(request: &mut ServiceRequest) {
    let ours = [Encoding::identity(), Encoding::gzip(), Encoding::deflate()];
    let wanted = request.get_header::<AcceptEncoding>();
    if wanted.is_some_and(|wanted| wanted.negotiate(ours.iter()).is_none()) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
}

/// The client's id where it is a sane token, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        .map_or_else(new_id, str::to_owned)
}

/// Random, by the thread's own generator: asking the system costs a call for each request.
fn new_id() -> String {
    let random = uuid::Builder::from_random_bytes(rand::random());
    random.into_uuid().to_string()
}

/// The problem of a failed answer that nobody rendered yet.
fn unrendered(response: &ServiceResponse) -> Option<Problem> {
    if let Some(error) = response.response().error() {
        return Some(problem_of(error));
    }
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    let has_shape = response.headers().contains_key(header::CONTENT_TYPE)
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| {
                let value = value.as_bytes();
                value.starts_with(b"application/") || value.starts_with(b"text/html")
            });
    (is_failure && !has_shape).then(|| Problem::of_status(status))
}

fn problem_of(error: &Error) -> Problem {
    match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None => Problem::of_status(error.as_response_error().status_code()),
    }
}

fn render(problem: &Problem, id: &str) -> HttpResponse {
    let parts = problem.parts();
    log(problem);
    let mut body = json!({
        "type": format!("/problems/{}", parts.kind.slug),
        "title": parts.kind.title,
        "status": parts.status.as_u16(),
        "detail": parts.detail,
        "instance": id,
    });
    if let (false, Some(object)) = (parts.errors.is_empty(), body.as_object_mut()) {
        object.insert("errors".to_owned(), json!(parts.errors));
    }
    let mut response = HttpResponse::build(parts.status);
    response.content_type("application/problem+json");
    response.insert_header((header::CONTENT_ENCODING, IDENTITY)); // no layer that compresses sees it
    if let Some(seconds) = parts.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(allow) = parts.allow {
        response.insert_header((header::ALLOW, allow));
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    let mut response = response.body(body.to_string());
    if let Some(allowance) = &parts.allowance {
        limits::tell(response.headers_mut(), allowance);
    }
    response
}

/// Once, here: the only place that sees every failure.
fn log(problem: &Problem) {
    let parts = problem.parts();
    let cause = parts.cause.as_deref().unwrap_or("");
    match parts.status {
        StatusCode::SERVICE_UNAVAILABLE => tracing::warn!(cause, "answered 503"),
        status if status.is_server_error() => {
            tracing::error!(cause, "answered {}", status.as_u16());
        }
        _ => tracing::debug!("answered {problem}"),
    }
}

/// What an inner layer (CORS) had put onto the bare answer.
fn keep_others(headers: &mut HeaderMap, inner: &HeaderMap) {
    for (name, value) in inner {
        let own = [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
        ];
        if !own.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

fn finish(headers: &mut HeaderMap, id: &str) {
    if headers.get(header::CONTENT_ENCODING) == Some(&IDENTITY) {
        headers.remove(header::CONTENT_ENCODING);
    } else if headers.contains_key(header::CONTENT_TYPE) {
        vary(headers);
    }
    for (name, value) in SECURITY_HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    let id: Result<HeaderValue, InvalidHeaderValue> = HeaderValue::from_str(id);
    if let Ok(id) = id {
        headers.insert(REQUEST_ID, id);
    }
}

/// What is compressed for who asks says so to who does not, too: else a cache would give either to both.
fn vary(headers: &mut HeaderMap) {
    const NAME: HeaderValue = HeaderValue::from_static("accept-encoding");
    // As the compressing layer writes it.
    if !headers.get_all(header::VARY).any(|told| *told == NAME) {
        headers.append(header::VARY, NAME);
    }
}

fn measure(response: &ServiceResponse, method: &Method, started: Instant) {
    let request = response.request();
    let route = request
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    let status = response.status();
    let elapsed = started.elapsed();
    tracing::debug!(
        http.route = route,
        http.status = status.as_u16(),
        ?elapsed,
        "answered"
    );
    if let Some(meters) = request.app_data::<Meters>() {
        meters.note(route, method, status, elapsed);
    }
}
