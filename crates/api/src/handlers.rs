//! One function a route: it reads, asks, and answers.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod dashboard;
pub(crate) mod health;
pub(crate) mod links;
mod proof;
pub(crate) mod services;
pub(crate) mod sessions;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};
use uuid::Uuid;

use crate::error::Problem;
use crate::input::Fields;

/// The id in the path, as it came.
#[derive(Debug, Clone)]
pub(crate) struct PathId(String);

impl PathId {
    /// The id.
    ///
    /// # Errors
    /// 404 for what is not one, as for one that is not there. Ask for it after the caller is known, so that a
    /// stranger learns nothing.
    pub(crate) fn uuid(&self) -> Result<Uuid, Problem> {
        const HYPHENATED: usize = 36;
        if self.0.len() != HYPHENATED {
            return Err(Problem::not_found());
        }
        self.0.parse().map_err(|_malformed| Problem::not_found())
    }
}

impl FromRequest for PathId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self(
            request
                .match_info()
                .get("id")
                .unwrap_or_default()
                .to_owned(),
        )))
    }
}

/// Nothing stands in the query: where nothing is asked for, a typo must not pass silently either.
#[derive(Debug)]
pub(crate) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let fields = Fields::from_query(request.query_string());
        ready(fields.and_then(Fields::finish).map(|()| Self))
    }
}

/// The fields of the query.
#[derive(Debug)]
pub(crate) struct Query(pub Fields);

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Fields::from_query(request.query_string()).map(Self))
    }
}
