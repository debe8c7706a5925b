//! A success on its way to the client: plain values, so that a task of another thread can make it.

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;

use crate::error::Problem;

/// What a handler ends with.
pub(crate) type Answer = Result<Reply, Problem>;

/// Status, JSON body and perhaps a location.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    body: Option<Vec<u8>>,
    location: Option<String>,
    retries: bool,
}

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
        let mut reply = Self::json(StatusCode::CREATED, view)?;
        reply.location = location;
        Ok(reply)
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
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            location: None,
            retries: false,
        }
    }

    /// Any status with a JSON body.
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub(crate) fn json(status: StatusCode, view: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(view).map_err(Problem::internal)?;
        Ok(Self {
            status,
            body: Some(body),
            location: None,
            retries: false,
        })
    }
}

impl Reply {
    /// Says when to ask again, where the status is 503.
    #[must_use]
    pub(crate) fn retry_later(mut self) -> Self {
        self.retries = self.status == StatusCode::SERVICE_UNAVAILABLE;
        self
    }
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if self.retries {
            response.insert_header((header::RETRY_AFTER, RETRY_SECONDS));
        }
        match self.body {
            Some(body) => response.content_type("application/json").body(body),
            None => response.finish(),
        }
    }
}
