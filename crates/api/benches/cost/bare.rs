//! The yardstick: actix-web, a pooled connection, one lookup by primary key, a small JSON answer; no token, no limit, no
//! layer around.

use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse, HttpServer};
use db::{Db, Settings};
use runtime::env::{ProcessEnv, Vars as _};
use uuid::Uuid;

/// Serves until it is killed, with as many threads as the api has by default.
pub(crate) fn serve(port: u16, user: Uuid) {
    actix_web::rt::System::new()
        .block_on(async move {
            let url = ProcessEnv.var(URL).expect("the database's URL");
            let settings = Settings::from_url(&url.into()).expect("a URL");
            let shared = Data::new((Db::connect(&settings).expect("a pool"), user));
            HttpServer::new(move || {
                App::new()
                    .app_data(Data::clone(&shared))
                    .route("/lookup", get().to(lookup))
            })
            .bind(("127.0.0.1", port))?
            .run()
            .await
        })
        .expect("it serves");
}

/// Under which the child finds its database.
pub(crate) const URL: &str = "PULSEMON_BENCH_DATABASE_URL";

async fn lookup(shared: Data<(Db, Uuid)>) -> HttpResponse {
    let (db, user) = shared.get_ref();
    let mut conn = db.conn().await.expect("a connection");
    let standing = db::users::standing(&mut conn, *user, None).await;
    let epoch = standing.expect("an answer").map(|found| found.token_epoch);
    HttpResponse::Ok().json(serde_json::json!({"epoch": epoch}))
}
