//! What happens when others are away.

use std::sync::Arc;

use bus::Route;
use secrecy::ExposeSecret as _;
use serde_json::json;
use testkit::{TestDb, eventually};

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_create_nudges_the_scheduler() {
    let vhost = testkit::TestVhost::new().await;
    let bus = vhost.bus().await;
    let url = vhost.amqp_url();
    let app = TestApp::with(&[("AMQP_URL", url.expose_secret())]).await;
    eventually(|| async { app.get("/readyz").await.expect(200)["status"] == "ready" }).await;
    let service = app.user().await.service("a").await;
    let mut requests = bus.subscribe(Route::ProbeRequests, 1);
    let nudge = requests.next().await.expect("a nudge");
    let request: models::message::ProbeRequest = bus::decode(&nudge).unwrap();
    assert_eq!(
        request.service_id.to_string(),
        service["id"].as_str().unwrap()
    );
    nudge.ack().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_there_is_waited_for() {
    let db = TestDb::unmigrated().await;
    let app = TestApp::on(Arc::new(db), &[]).await;
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(!ready.header("retry-after").is_empty());
    let postgres = &ready.json()["dependencies"]["postgres"];
    assert_eq!(
        *postgres,
        json!({"status": "not_ready"}),
        "why is the operator's"
    );
    let body = json!({"email": "a@example.com", "password": "12345678"});
    let away = app.post("/auth/register", &body).await;
    away.problem(503, "unavailable");
    assert!(!away.header("retry-after").is_empty());
    db::migrations::migrate(app.db.db()).await.unwrap();
    eventually(|| async { app.get("/readyz").await.status == 200 }).await;
    app.post("/auth/register", &body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_heal_and_a_stop_finishes() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.db.terminate_sessions().await;
    eventually(|| async { user.get("/services").await.status == 200 }).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_a_503_with_retry_after() {
    let dead = "postgres://u:p@127.0.0.1:9/nowhere";
    let app = TestApp::with(&[("DATABASE_URL", dead)]).await;
    let away = app.login("a@example.com", "12345678").await;
    away.problem(503, "unavailable");
    assert!(!away.header("retry-after").is_empty());
    assert_eq!(app.get("/readyz").await.status, 503);
    assert_eq!(app.get("/health").await.status, 503);
    assert_eq!(app.get("/healthz").await.status, 200);
}
