//! A JSON object from a request's body, within bounds of size, depth and time.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;

use super::{Fields, Node};
use crate::error::{FieldError, Problem};

/// The largest body. Our own requests are a hundredth of it.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// What is read and thrown away behind a body that is too large, so that its sender reads our answer before the
/// connection closes.
const MAX_DRAINED_BYTES: usize = 1024 * 1024;
/// Who needs longer to send 64 KiB is not a client.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a JSON object in the body.
#[derive(Debug)]
pub(crate) struct Body(pub Fields);

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_media(request, JSON);
        let query = request.query_string().to_owned();
        let payload = payload.take();
        Box::pin(async move {
            if !is_json {
                return Err(Problem::unsupported_media_type());
            }
            Ok(Self(fields(&arrived(payload).await?, &query)?))
        })
    }
}

/// The fields of a JSON object, or of a form that one of our own pages posted.
#[derive(Debug)]
pub(crate) struct Submission {
    /// What was sent. Of a page only, what could not be read is told here: that person, too, gets a page.
    pub(crate) fields: Result<Fields, Problem>,
    /// It came from a page, so a person waits for the answer in a browser.
    pub(crate) as_form: bool,
}

impl FromRequest for Submission {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (is_json, as_form) = (is_media(request, JSON), is_media(request, FORM));
        let query = request.query_string().to_owned();
        let payload = payload.take();
        Box::pin(async move {
            if !is_json && !as_form {
                return Err(Problem::unsupported_media_type());
            }
            let arrived = arrived(payload).await;
            let fields = match as_form {
                true => arrived.and_then(|bytes| form(bytes, &query)),
                false => Ok(fields(&arrived?, &query)?),
            };
            Ok(Self { fields, as_form })
        })
    }
}

/// The fields of a body that may be left out. For who has to ask something else before he says what is wrong in it.
#[derive(Debug)]
pub(crate) struct MaybeBody(pub Fields);

impl FromRequest for MaybeBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_media(request, JSON);
        let query = request.query_string().to_owned();
        let payload = payload.take();
        Box::pin(async move {
            let mut bytes = arrived(payload).await?;
            if bytes.is_empty() {
                bytes.extend_from_slice(b"{}");
            } else if !is_json {
                return Err(Problem::unsupported_media_type());
            }
            fields(&bytes, &query).map(Self)
        })
    }
}

/// No body, or an object without fields.
#[derive(Debug)]
pub(crate) struct NoFields;

impl FromRequest for NoFields {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = MaybeBody::from_request(request, payload);
        Box::pin(async move { body.await?.0.finish().map(|()| Self) })
    }
}

/// The object in a body. Who sends a body has nothing to say in the query.
fn fields(bytes: &[u8], query: &str) -> Result<Fields, Problem> {
    match Node::parse(bytes)? {
        Node::Object(entries) => {
            let mut fields = Fields::new(entries);
            fields.refuse_query(query)?;
            Ok(fields)
        }
        other => Err(Problem::invalid(vec![FieldError {
            field: "body".to_owned(),
            message: format!("must be an object, not {}", other.kind()),
        }])),
    }
}

fn form(bytes: Vec<u8>, query: &str) -> Result<Fields, Problem> {
    let text = String::from_utf8(bytes)
        .map_err(|_not_utf8| Problem::malformed("The form is not UTF-8."))?;
    let mut fields = Fields::from_query(&text)?;
    fields.refuse_query(query)?;
    Ok(fields)
}

async fn arrived(payload: Payload) -> Result<Vec<u8>, Problem> {
    tokio::time::timeout(BODY_TIMEOUT, read(payload))
        .await
        .map_err(|_elapsed| Problem::malformed("The body did not arrive in time."))?
}

fn is_media(request: &HttpRequest, wanted: &str) -> bool {
    let header = |name| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or("?"))
    };
    let plain = header(header::CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
    let Some(media) = header(header::CONTENT_TYPE) else {
        return false;
    };
    let mut parts = media.split(';').map(str::trim);
    let is_wanted = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case(wanted));
    let is_utf8 = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.eq_ignore_ascii_case("charset")
            || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    plain && is_wanted && is_utf8
}

async fn read(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut received = 0_usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| Problem::malformed("The body broke off."))?;
        received = received.saturating_add(chunk.len());
        if received > MAX_DRAINED_BYTES {
            break;
        }
        if received <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&chunk);
        }
    }
    if received > MAX_BODY_BYTES {
        return Err(Problem::too_large());
    }
    Ok(bytes)
}
