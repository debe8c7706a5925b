//! Every route, once: under `/api/v1`, and bare as the original had them.

use actix_web::web::{self, ServiceConfig};

use crate::error::Problem;
use crate::handlers::{admin, audit, auth, dashboard, health, services, sessions};
use crate::reply::Reply;

/// A resource that says in `Allow` what it answers to. A `GET` answers `HEAD` too.
macro_rules! resource {
    ($path:literal, $($method:ident => $handler:path),+ ; $allow:literal) => {
        web::resource($path)
            $(.route(resource!(@route $method).to($handler)))+
            .default_service(web::to(async || Err::<Reply, _>(Problem::method_not_allowed($allow))))
    };
    (@route get) => {
        web::route().guard(actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head()))
    };
    (@route $method:ident) => { web::$method() };
}

/// Mounts everything.
pub(crate) fn mount(config: &mut ServiceConfig) {
    config
        .service(resource!("/healthz", get => health::live; "GET, HEAD"))
        .service(resource!("/readyz", get => health::ready; "GET, HEAD"))
        .service(resource!("/health", get => health::health; "GET, HEAD"))
        .service(web::scope("/api/v1").configure(api))
        .configure(api);
}

fn api(config: &mut ServiceConfig) {
    config
        .service(resource!("/auth/register", post => auth::register; "POST"))
        .service(resource!("/auth/login", post => auth::login; "POST"))
        .service(resource!("/auth/refresh", post => auth::refresh; "POST"))
        .service(resource!("/auth/logout", post => auth::logout; "POST"))
        .service(resource!("/auth/me", get => auth::me; "GET, HEAD"))
        .service(resource!("/auth/sessions", get => sessions::list; "GET, HEAD"))
        .service(resource!("/auth/sessions/{id}", delete => sessions::end; "DELETE"))
        .service(resource!("/auth/logout-all", post => sessions::logout_all; "POST"))
        .service(resource!("/auth/change-password", post => sessions::change_password; "POST"))
        .service(resource!("/services", get => services::list, post => services::create; "GET, HEAD, POST"))
        .service(resource!(
            "/services/{id}",
            get => services::show, put => services::edit, patch => services::edit, delete => services::delete;
            "GET, HEAD, PUT, PATCH, DELETE"
        ))
        .service(resource!("/services/{id}/probe", post => services::probe; "POST"))
        .service(resource!("/audit", get => audit::mine; "GET, HEAD"))
        .service(resource!("/admin/audit", get => admin::log; "GET, HEAD"))
        .configure(dashboard::routes);
}

/// Everything else.
///
/// # Errors
/// 404, always.
pub(crate) async fn nothing() -> Result<Reply, Problem> {
    Err(Problem::not_found())
}
