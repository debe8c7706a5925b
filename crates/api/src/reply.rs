//! A success on its way to the client: plain values, so that a task of another thread can make it.

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, header::InvalidHeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;

use crate::error::Problem;

/// What a handler ends with.
pub(crate) type Answer = Result<Reply, Problem>;

/// Status, body and headers.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Option<Vec<u8>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    holds_secret: bool,
}

/// A smaller body fits into one packet anyway.
const WORTH_COMPRESSING_BYTES: usize = 1024;

/// The encoding that is none.
pub(crate) const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Dependencies that are away are looked at again about as often.
const RETRY_SECONDS: &str = "2";

impl Reply {
    /// 200 with the resource itself.
    ///
    /// # Errors
    /// A 500 when the view can't be written as JSON.
    pub(crate) fn ok(view: &impl Serialize) -> Answer {
        Self::json(StatusCode::OK, view)
    }

    /// 201 with the resource and, where it has one, its address.
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub(crate) fn created(view: &impl Serialize, location: Option<String>) -> Answer {
        let reply = Self::json(StatusCode::CREATED, view)?;
        match location {
            Some(location) => reply.with(header::LOCATION, location),
            None => Ok(reply),
        }
    }

    /// 202.
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub(crate) fn accepted(view: &impl Serialize) -> Answer {
        Self::json(StatusCode::ACCEPTED, view)
    }

    /// 204.
    #[must_use]
    pub(crate) const fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// What `OPTIONS` answers.
    ///
    /// # Errors
    /// None.
    pub(crate) fn allows(methods: &'static str) -> Answer {
        Self::no_content().with(header::ALLOW, methods)
    }

    /// Any status with a JSON body.
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub(crate) fn json(status: StatusCode, view: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(view).map_err(Problem::internal)?;
        Ok(Self::bytes(status, "application/json", body))
    }

    /// Any status with a body that is written already.
    #[must_use]
    pub(crate) const fn bytes(
        status: StatusCode,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: Some(body),
            headers: Vec::new(),
            holds_secret: false,
        }
    }

    /// Any status without a body.
    #[must_use]
    pub(crate) const fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: "",
            body: None,
            headers: Vec::new(),
            holds_secret: false,
        }
    }
}

impl Reply {
    /// Adds a header.
    ///
    /// # Errors
    /// A 500 for a value that no header can carry.
    pub(crate) fn with<V>(mut self, name: HeaderName, value: V) -> Answer
    where
        V: TryInto<HeaderValue, Error = InvalidHeaderValue>,
    {
        let value = value.try_into().map_err(Problem::internal)?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// It tells a secret: it is not compressed, for the length of what is compressed tells of what is in it.
    #[must_use]
    pub(crate) fn secret(mut self) -> Self {
        self.holds_secret = true;
        self
    }

    /// Says when to ask again, where the status is 503.
    #[must_use]
    pub(crate) fn retry_later(mut self) -> Self {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static(RETRY_SECONDS);
            self.headers.push((header::RETRY_AFTER, seconds));
        }
        self
    }
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        for header in self.headers {
            response.insert_header(header);
        }
        let length = self.body.as_ref().map_or(0, Vec::len);
        if self.holds_secret || length < WORTH_COMPRESSING_BYTES {
            // The compressing layer leaves alone what has an encoding; `middleware` takes the word away again.
            response.insert_header((header::CONTENT_ENCODING, IDENTITY));
        }
        match self.body {
            Some(body) => response.content_type(self.content_type).body(body),
            None => response.finish(),
        }
    }
}
