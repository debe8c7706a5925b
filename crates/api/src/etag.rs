//! Versions of a service, and requests that hold only for one of them.
//!
//! The tag names what the owner can change: the service's id and the time of its last change, which only rises. The
//! figures around it move with every probe and do not move the tag, or a change could never be sent in time. For that
//! reason no answer for a service is a 304: `If-None-Match` would hide new figures.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use db::services::Service;

use crate::error::Problem;
use crate::problems;

/// More tags than this nobody means.
const MAX_TAGS: usize = 16;

/// The tag of a service as it is.
#[must_use]
pub(crate) fn of(service: &Service) -> String {
    let changed = service.updated_at.timestamp_micros();
    format!("\"{}-{changed:x}\"", service.id.simple())
}

/// `If-Match`: the change holds only for one of these versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// The header is absent, or `*`.
    Any,
    /// One of these.
    Listed(Vec<String>),
}

impl IfMatch {
    /// Holds the condition against the service as it is now.
    ///
    /// # Errors
    /// 412.
    pub(crate) fn require(&self, service: &Service) -> Result<(), Problem> {
        match self {
            Self::Any => Ok(()),
            Self::Listed(tags) if tags.contains(&of(service)) => Ok(()),
            Self::Listed(_) => Err(Problem::new(
                &problems::PRECONDITION_FAILED,
                "The service is no longer the version that If-Match names. Read it again.",
            )),
        }
    }

    /// Reads a header's value. A weak tag is kept as it is, and so never matches.
    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let tags: Vec<String> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
        let are_tags = tags.iter().all(|tag| is_tag(tag)) && tags.len() <= MAX_TAGS;
        are_tags.then_some(Self::Listed(tags))
    }
}

/// An opaque text in quotes, perhaps weak.
fn is_tag(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = opaque
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte > b' ' && byte != b'"'))
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let mut given = request.headers().get_all(header::IF_MATCH);
        let read = match (given.next(), given.next()) {
            (None, _) => Some(Self::Any),
            (Some(value), None) => value.to_str().ok().and_then(Self::parse),
            (Some(_), Some(_)) => None,
        };
        ready(read.ok_or_else(|| {
            Problem::malformed("If-Match is `*`, or a list of entity tags in quotes.")
        }))
    }
}

/// Whether `If-None-Match` names this very text, so that 304 says all. Weak and strong tags are one.
#[must_use]
pub(crate) fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let given = request.headers().get(header::IF_NONE_MATCH);
    let Some(given) = given.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    given.trim() == "*" || given.split(',').any(|known| bare(known) == bare(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_a_star_or_quoted_tags() {
        assert_eq!(IfMatch::parse(" * "), Some(IfMatch::Any));
        let listed = |tags: &[&str]| {
            Some(IfMatch::Listed(
                tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ))
        };
        assert_eq!(IfMatch::parse("\"a\""), listed(&["\"a\""]));
        assert_eq!(
            IfMatch::parse("\"a\" , W/\"b\""),
            listed(&["\"a\"", "W/\"b\""])
        );
        for wrong in ["", "a", "\"a", "\"a b\"", "\"a\",", "*, \"a\"", "w/\"a\""] {
            assert_eq!(IfMatch::parse(wrong), None, "{wrong}");
        }
    }
}
