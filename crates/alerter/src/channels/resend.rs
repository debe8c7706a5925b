//! Resend: `POST /emails` with an idempotency key, which makes a repeated attempt harmless for
//! 24 hours.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::DateTime;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use models::id::DeliveryId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Attempt, bounded};
use crate::letter::Letter;

/// From dialling to the end of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers are a few hundred bytes; whatever is longer is not from Resend.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A connection kept longer is likely closed by the other side when we want it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one Resend account.
#[derive(Debug)]
pub struct Resend {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    authorization: HeaderValue,
}

impl Resend {
    /// Prepares the client.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the key is no header value.
    pub(super) fn new(api_key: &SecretString, base_url: &Url) -> anyhow::Result<Self> {
        let endpoint = format!("{}/emails", base_url.as_str().trim_end_matches('/'));
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", api_key.expose_secret()))
                .context("RESEND_API_KEY holds characters that no header can")?;
        authorization.set_sensitive(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls(base_url)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self {
            client,
            endpoint: endpoint.parse().context("read RESEND_BASE_URL")?,
            authorization,
        })
    }

    pub(super) async fn send(&self, id: DeliveryId, letter: &Letter) -> Attempt {
        let body = match letter.resend_body() {
            Ok(body) => body,
            Err(error) => return refused(error.to_string(), false),
        };
        let request = match self.request(id, body) {
            Ok(request) => request,
            Err(error) => return refused(error.to_string(), false),
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request)).await {
            Ok(attempt) => attempt,
            Err(_) => Attempt::deferred("Resend did not answer within 10 s"),
        }
    }

    fn request(&self, id: DeliveryId, body: Vec<u8>) -> http::Result<Request<Full<Bytes>>> {
        Request::builder()
            .method(Method::POST)
            .uri(self.endpoint.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("pulsemon/", env!("CARGO_PKG_VERSION")))
            .header("idempotency-key", id.to_string())
            .body(Full::new(Bytes::from(body)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Attempt {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return Attempt::deferred(format!("Resend: {}", chain(&error))),
        };
        let (head, body) = response.into_parts();
        // A body that cannot be read changes nothing: the status has decided.
        let answer = Limited::new(body, MAX_ANSWER_BYTES)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        judge(head.status, &head.headers, &answer)
    }
}

/// Both sets of roots: the system's for an operator with a CA of his own, the built-in ones for
/// images that have none. A plain address needs neither.
fn tls(base_url: &Url) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    if base_url.scheme() == "https" {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS for Resend")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The client's own text says only "client error"; its causes say which.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn refused(error: impl Into<String>, alarm: bool) -> Attempt {
    Attempt::Refused {
        error: bounded(error),
        alarm,
    }
}

/// What Resend answers with, good or bad.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    id: Option<String>,
    name: Option<String>,
    message: Option<String>,
}

/// Reads an answer. The rules of Resend's documentation:
/// - 409 `concurrent_idempotent_requests`: an earlier attempt is still under way, so ask again;
///   409 `invalid_idempotent_request`: another body was accepted under our key, so that mail is
///   out and this one must not follow it.
/// - 429 `rate_limit_exceeded` passes; a quota passes too, but later, and somebody should know.
/// - 401, 403 and 422 stay what they are, for every mail: an operator has to look.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Attempt {
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() {
        return Attempt::Accepted {
            provider_id: answer.id,
        };
    }
    let name = answer.name.as_deref().unwrap_or("no name");
    let message = answer.message.as_deref().unwrap_or("no message");
    let error = format!("Resend answered {}: {name}: {message}", status.as_u16());
    let is_quota = name.contains("quota");
    match status {
        StatusCode::CONFLICT if name == "invalid_idempotent_request" => {
            Attempt::Accepted { provider_id: None }
        }
        StatusCode::CONFLICT => Attempt::deferred(error),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Attempt::Deferred {
            error: bounded(error),
            retry_after: retry_after(headers).or(is_quota.then_some(QUOTA_WAIT)),
            alarm: is_quota,
        },
        status if status.is_server_error() => Attempt::Deferred {
            error: bounded(error),
            retry_after: retry_after(headers),
            alarm: false,
        },
        _ => refused(error, true),
    }
}

/// A quota is given back by the day at the earliest; an operator may raise it any minute.
const QUOTA_WAIT: Duration = Duration::from_secs(15 * 60);

/// `Retry-After` in seconds, or as a date measured from the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let sent = headers.get(http::header::DATE)?.to_str().ok()?;
    let sent = DateTime::parse_from_rfc2822(sent).ok()?;
    (until - sent).to_std().ok()
}

#[cfg(test)]
mod tests;
