//! Every failure that a client can see, as an RFC 9457 problem.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use db::{Failure, QueryError, TransactionError};
use models::limit::Allowance;
use serde::Serialize;

use crate::problems::{self, Kind};

/// How long a client is asked to wait when the database is away or everything is busy.
const RETRY_SECONDS: u64 = 2;

/// One field that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// Its name in the request.
    pub(crate) field: String,
    /// What is wrong, as a clause that follows the name.
    pub(crate) message: String,
}

/// A failure on its way to the client. The request id is added where it is rendered
/// (middleware), so that any code can make one.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

/// What a [`Problem`] is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// The kind's, but for failures that the web framework found.
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static Kind,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) allow: Option<&'static str>,
    /// The limit that was met.
    pub(crate) allowance: Option<Allowance>,
    /// A limit that this failure counts against, beside the request's own.
    pub(crate) nearing: Option<Allowance>,
    /// For the log alone.
    pub(crate) cause: Option<String>,
    /// What the database said, so that a transaction knows whether to run again.
    failure: Option<Failure>,
}

impl Problem {
    /// A problem with a detail of its own.
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status: kind.status,
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
            allowance: None,
            nearing: None,
            cause: None,
            failure: None,
        }))
    }

    /// 400: it could not be read at all.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(&problems::MALFORMED, detail)
    }

    /// 401: no token, or one that does not hold. One text for all reasons.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            &problems::UNAUTHORIZED,
            "A valid access token is required: Authorization: Bearer <token>.",
        )
    }

    /// 403: nothing is open to an account before its address is confirmed.
    pub(crate) fn email_not_verified() -> Self {
        Self::new(
            &problems::EMAIL_NOT_VERIFIED,
            "Follow the link in the mail that you got, or ask for another one.",
        )
    }

    /// 400: a mailed link that does not work; one text for all reasons.
    pub(crate) fn invalid_link() -> Self {
        Self::new(
            &problems::INVALID_LINK,
            "It was used, has expired, or a newer one has taken its place.",
        )
    }

    /// 404: missing, malformed or someone else's; one text for all three.
    pub(crate) fn not_found() -> Self {
        Self::new(&problems::NOT_FOUND, "There is nothing here for you.")
    }

    /// 405, with what is allowed.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let mut problem = Self::new(
            &problems::METHOD_NOT_ALLOWED,
            format!("This resource answers to {allow}."),
        );
        problem.0.allow = Some(allow);
        problem
    }

    /// 422 with every wrong field.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        Self::fields(&problems::VALIDATION_FAILED, errors)
    }

    /// 422 for a URL that can never be probed.
    pub(crate) fn url_not_allowed(errors: Vec<FieldError>) -> Self {
        Self::fields(&problems::URL_NOT_ALLOWED, errors)
    }

    fn fields(kind: &'static Kind, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}.", one.field, one.message),
            many => format!("{} fields are not right; see `errors`.", many.len()),
        };
        let mut problem = Self::new(kind, detail);
        problem.0.errors = errors;
        problem
    }

    /// 429 with the seconds after which it will pass.
    pub(crate) fn too_many(detail: impl Into<String>, retry_after_seconds: u64) -> Self {
        let mut problem = Self::new(&problems::TOO_MANY_REQUESTS, detail);
        problem.0.retry_after = Some(retry_after_seconds.max(1));
        problem
    }

    /// 429 at the end of an allowance.
    pub(crate) fn limited(allowance: Allowance) -> Self {
        let seconds = allowance.reset_seconds.max(1);
        let mut problem = Self::too_many(
            format!(
                "The limit of {} is reached; try again in {seconds} s.",
                allowance.limit
            ),
            seconds,
        );
        problem.0.allowance = Some(allowance);
        problem
    }

    /// 503: try again soon. `cause` goes to the log alone.
    pub(crate) fn unavailable(cause: impl fmt::Display) -> Self {
        let mut problem = Self::new(
            &problems::UNAVAILABLE,
            "The service can not answer right now. Please try again.",
        );
        problem.0.retry_after = Some(RETRY_SECONDS);
        problem.0.cause = Some(cause.to_string());
        problem
    }

    /// 500. `cause` goes to the log alone.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        let mut problem = Self::new(
            &problems::INTERNAL,
            "The failure has been logged under this request id.",
        );
        problem.0.cause = Some(cause.to_string());
        problem
    }

    /// For a failure that the web framework found; its own text stays inside.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal("the framework failed"),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            other if other.is_client_error() => {
                let mut problem = Self::malformed("The request could not be understood.");
                problem.0.status = other;
                problem
            }
            other => {
                let mut problem = Self::internal(format!("the framework answered {other}"));
                problem.0.status = other;
                problem
            }
        }
    }

    /// 413.
    pub(crate) fn too_large() -> Self {
        Self::new(&problems::TOO_LARGE, "A body may have at most 64 KiB.")
    }

    /// 415.
    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(
            &problems::UNSUPPORTED_MEDIA_TYPE,
            "Send JSON in UTF-8, uncompressed, with Content-Type: application/json.",
        )
    }

    /// Says what is left of a limit that it counts against, if no other is nearer.
    pub(crate) fn nearing(mut self, left: Allowance) -> Self {
        self.0.nearing = Some(left);
        self
    }

    /// Says when to ask again.
    pub(crate) fn retry_in(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// What it is made of.
    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status.as_u16(), self.0.kind.slug)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Bare: the body and its headers are written by the middleware, which knows the request id.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.0.status)
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        let failure = error.failure();
        let mut problem = match failure {
            Failure::Unavailable | Failure::Conflict => Self::unavailable(&error),
            Failure::Constraint { .. } | Failure::Data | Failure::Other => Self::internal(&error),
        };
        problem.0.failure = Some(failure);
        problem
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        db::Error::from(error).into()
    }
}

impl TransactionError for Problem {
    fn failure(&self) -> Option<Failure> {
        self.0.failure.clone()
    }
}
