//! Every route, once: under `/api/v1`, and bare as the original had them.
//!
//! A route that stands here and not in the OpenAPI document (`openapi/`), or there and not here, fails a test.

use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

use crate::error::Problem;
use crate::handlers::{
    account, admin, api_keys, audit, auth, dashboard, health, links, services, sessions,
};
use crate::openapi;
use crate::reference;
use crate::reply::Reply;

/// Where the contract stands.
pub(crate) const PREFIX: &str = "/api/v1";

/// One resource: where it is and what it answers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The path's pattern.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the document is compared with it")
    )]
    pub(crate) path: &'static str,
    /// In lower case; a `get` answers `HEAD` too, and everything answers `OPTIONS`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the document is compared with it")
    )]
    pub(crate) methods: &'static [&'static str],
    build: fn() -> Resource,
}

/// An [`Entry`]. What `Allow` says follows from its methods.
macro_rules! resource {
    ($path:literal, $first:ident => $first_handler:path $(, $method:ident => $handler:path)* $(,)?) => {
        Entry {
            path: $path,
            methods: &[stringify!($first) $(, stringify!($method))*],
            build: || {
                const ALLOW: &str =
                    concat!(resource!(@allow $first) $(, ", ", resource!(@allow $method))*, ", OPTIONS");
                web::resource($path)
                    .route(resource!(@route $first).to($first_handler))
                    $(.route(resource!(@route $method).to($handler)))*
                    .route(web::method(Method::OPTIONS).to(async || Reply::allows(ALLOW)))
                    .default_service(web::to(async || Err::<Reply, _>(Problem::method_not_allowed(ALLOW))))
            },
        }
    };
    (@route get) => { get_or_head() };
    (@route $method:ident) => { web::$method() };
    (@allow get) => { "GET, HEAD" };
    (@allow post) => { "POST" };
    (@allow put) => { "PUT" };
    (@allow patch) => { "PATCH" };
    (@allow delete) => { "DELETE" };
}

/// One guard: actix' own note each method that was asked for with the request, for an `Allow` that we write ourselves.
fn get_or_head() -> Route {
    web::route().guard(fn_guard(|context| {
        matches!(context.head().method, Method::GET | Method::HEAD)
    }))
}

/// Where people look first. They lead to the reference, and are no part of the contract.
const SIGNPOSTS: &[Entry] = &[
    resource!("/", get => reference::signpost),
    resource!("/docs/", get => reference::signpost),
    resource!("/api/v1", get => reference::signpost),
    resource!("/api/v1/", get => reference::signpost),
];

/// What is no part of the contract's prefix: health, and pages for people.
pub(crate) const ROOT: &[Entry] = &[
    resource!("/healthz", get => health::live),
    resource!("/readyz", get => health::ready),
    resource!("/health", get => health::health),
    resource!("/docs", get => reference::docs),
    resource!("/docs/style.css", get => reference::style),
    resource!("/problems", get => reference::problem_list),
    resource!("/problems/{slug}", get => reference::problem),
];

/// The contract. Patterns are tried in this order, so what is asked most stands first.
pub(crate) const API: &[Entry] = &[
    resource!("/services", get => services::list, post => services::create),
    resource!(
        "/services/{id}",
        get => services::show, put => services::edit, patch => services::edit, delete => services::delete
    ),
    resource!("/services/{id}/probe", post => services::probe),
    resource!("/dashboard", get => dashboard::all),
    resource!("/dashboard/{id}", get => dashboard::one),
    resource!("/dashboard/{id}/alerts", get => dashboard::alerts),
    resource!("/dashboard/{id}/incidents", get => dashboard::incidents),
    resource!("/dashboard/{id}/latency", get => dashboard::latency),
    resource!("/openapi.json", get => openapi::serve),
    resource!("/auth/register", post => auth::register),
    resource!("/auth/login", post => auth::login),
    resource!("/auth/refresh", post => auth::refresh),
    resource!("/auth/logout", post => auth::logout),
    resource!("/auth/verify", get => links::verify_page, post => links::verify),
    resource!("/auth/resend-verify", post => account::resend),
    resource!("/auth/forgot-password", post => account::forgot),
    resource!("/auth/reset-password", get => links::reset_page, post => links::reset),
    resource!("/auth/change-email", post => account::change_email),
    resource!("/auth/confirm-email", get => links::confirm_page, post => links::confirm),
    resource!("/auth/me", get => auth::me, delete => account::delete),
    resource!("/auth/sessions", get => sessions::list),
    resource!("/auth/sessions/{id}", delete => sessions::end),
    resource!("/auth/logout-all", post => sessions::logout_all),
    resource!("/auth/change-password", post => sessions::change_password),
    resource!("/audit", get => audit::mine),
    resource!("/api-keys", get => api_keys::list, post => api_keys::create),
    resource!("/api-keys/{id}", delete => api_keys::revoke),
    resource!("/api-keys/{id}/rotate", post => api_keys::rotate),
    resource!("/admin/audit", get => admin::log),
    resource!("/admin/users", get => admin::users::list),
    resource!("/admin/users/{id}", get => admin::users::show),
    resource!("/admin/users/{id}/quota", put => admin::users::set_quota),
    resource!("/admin/users/{id}/lock", post => admin::users::lock),
    resource!("/admin/users/{id}/unlock", post => admin::users::unlock),
];

/// Mounts everything.
pub(crate) fn mount(config: &mut ServiceConfig) {
    add(config, SIGNPOSTS);
    config.service(web::scope(PREFIX).configure(|config| add(config, API)));
    add(config, ROOT);
    add(config, API);
}

fn add(config: &mut ServiceConfig, entries: &[Entry]) {
    for entry in entries {
        config.service((entry.build)());
    }
}

/// Everything else.
///
/// # Errors
/// 404, always.
pub(crate) async fn nothing() -> Result<Reply, Problem> {
    Err(Problem::not_found())
}
