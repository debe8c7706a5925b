//! Pages for people: the reference at `/docs` and every kind of problem at `/problems`.
//!
//! Written from the OpenAPI document on this side: no script, nothing from elsewhere, one stylesheet of ours. What the
//! document says is all that a page says, so neither can be ahead of the other.

mod page;
mod schema;
mod text;

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use askama::Template;

use crate::error::Problem;
use crate::problems::{self, Kind};
use crate::reply::{Answer, Reply};
use page::Docs;

/// Ours alone: a style from this origin, and nothing else at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("../templates/reference.css");
const HTML: &str = "text/html; charset=utf-8";

/// Rendered once: it follows from the release alone.
static DOCS: LazyLock<Result<String, askama::Error>> =
    LazyLock::new(|| Docs::of(&crate::openapi::document()).render());

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemList<'a> {
    kinds: &'a [&'a Kind],
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    kind: &'static Kind,
    remedy: String,
    meaning: String,
}

/// `GET /docs`
///
/// # Errors
/// None.
pub(crate) async fn docs() -> Answer {
    let text = DOCS.as_ref().map_err(Problem::internal)?;
    html(text.clone())
}

/// `GET /`, `/docs/`, `/api/v1`: the way to `/docs`.
///
/// # Errors
/// None.
pub(crate) async fn signpost() -> Answer {
    Reply::empty(StatusCode::FOUND).with(header::LOCATION, "/docs")
}

/// `GET /docs/style.css`
///
/// # Errors
/// None.
pub(crate) async fn style() -> Answer {
    let text = STYLE.as_bytes().to_vec();
    Reply::bytes(StatusCode::OK, "text/css; charset=utf-8", text)
        .with(header::CACHE_CONTROL, "public, max-age=3600")
}

/// `GET /problems`
///
/// # Errors
/// None.
pub(crate) async fn problem_list() -> Answer {
    let page = ProblemList {
        kinds: problems::ALL,
    };
    html(page.render().map_err(Problem::internal)?)
}

/// `GET /problems/{slug}`: where `type` of a problem leads.
///
/// # Errors
/// 404.
pub(crate) async fn problem(request: HttpRequest) -> Answer {
    let slug = request.match_info().get("slug").unwrap_or_default();
    let kind = problems::find(slug).ok_or_else(Problem::not_found)?;
    let page = ProblemPage {
        kind,
        meaning: text::inline(kind.meaning),
        remedy: text::inline(kind.remedy),
    };
    html(page.render().map_err(Problem::internal)?)
}

fn html(text: String) -> Answer {
    Reply::bytes(StatusCode::OK, HTML, text.into_bytes())
        .with(header::CONTENT_SECURITY_POLICY, POLICY)?
        .with(header::CACHE_CONTROL, "public, max-age=300")
}
