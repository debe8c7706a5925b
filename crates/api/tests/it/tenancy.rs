//! Tenants never see each other's. The routes come from the OpenAPI document, so that a new one can't be forgotten.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, User};
use crate::openapi::{document, operations};

/// A route, and a body that it would take.
struct Route {
    method: Method,
    path: String,
    body: String,
    for_admins: bool,
}

fn routes(document: &Value, wanted: impl Fn(&str, &Value) -> bool) -> Vec<Route> {
    let mut routes = Vec::new();
    for (method, path, operation) in operations(document) {
        if !wanted(&path, &operation) {
            continue;
        }
        let body = &operation["requestBody"]["content"]["application/json"]["example"];
        let mut bodies = vec![String::new()];
        if body.is_object() {
            // a wrong body tells a stranger no more than a right one
            bodies = vec![
                body.to_string(),
                r#"{"name": 7, "is_active": "x"}"#.to_owned(),
            ];
        }
        for mount in ["/api/v1", ""] {
            routes.extend(bodies.iter().map(|body| Route {
                method: method.clone(),
                path: path.replacen("/api/v1", mount, 1),
                body: body.clone(),
                for_admins: path.contains("/admin/"),
            }));
        }
    }
    routes
}

/// Everything that a client sees, but for the request id, what counts requests or seconds, and whether the connection
/// goes on (it does not where a body was left unread).
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-request-id");
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            !["x-request-id", "date", "connection"].contains(&name)
                && !name.starts_with("ratelimit-")
        })
        .map(|(name, value)| {
            // lists of names come in any order
            let mut words: Vec<&str> = value.to_str().unwrap().split(", ").collect();
            words.sort_unstable();
            (name.to_string(), words.join(", "))
        })
        .collect();
    headers.sort();
    (answer.status, headers, answer.text.replace(id, "<id>"))
}

async fn first_session(user: &User<'_>) -> String {
    let sessions = user.get("/auth/sessions").await.expect(200);
    sessions["sessions"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_unknown_and_malformed_ids_get_one_answer_on_every_route() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let service = owner.service("a").await;
    let before = owner.show(&service).await.expect(200);
    let foreign = service["id"].as_str().unwrap().to_owned();
    let ids = [
        first_session(&owner).await,
        owner.id.to_string(),
        uuid::Uuid::now_v7().to_string(),
        uuid::Uuid::new_v4().to_string(),
        format!("%7B{foreign}%7D"),
        foreign.replace('-', ""),
        foreign.to_uppercase(),
        foreign,
        "abc".to_owned(),
        "1".to_owned(),
        "%00".to_owned(),
        "..%2f".to_owned(),
        "%ff".to_owned(),
    ];
    let mut tried = 0;
    let mut answers = std::collections::BTreeSet::new();
    for route in routes(&document, |path, _| path.contains("{id}")) {
        for id in &ids {
            let path = route.path.replace("{id}", id);
            let answer = stranger
                .send(route.method.clone(), &path, route.body.clone())
                .await;
            if route.for_admins {
                answer.problem(403, "admins-only");
                continue;
            }
            answer.problem(404, "not-found");
            answers.insert(seen(&answer));
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(owner.show(&service).await.expect(200), before);
    owner.get("/auth/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_protected_route_says_the_same() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let is_protected = |operation: &Value| operation["security"] != json!([]);
    let json = [("content-type", "application/json")];
    let mut answers = std::collections::BTreeSet::new();
    let mut tried = 0;
    for route in routes(&document, |_, operation| is_protected(operation)) {
        let path = route.path.replace("{id}", "abc");
        let answer = app
            .send(route.method.clone(), &path, &json, route.body.clone())
            .await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answers.insert(seen(&answer));
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_only_the_callers_own() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let service = owner.service("a").await;
    let list = async |user: &User<'_>| {
        user.get("/services").await.expect(200)["services"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((list(&owner).await, list(&stranger).await), (1, 0));
    assert_eq!(
        owner.get("/services").await.expect(200)["services"][0]["id"],
        service["id"]
    );
}

/// Bodies that no operation may take, whatever it is for.
fn hostile(good: &Value) -> Vec<(u16, String)> {
    let padded = format!("{}{}", good, " ".repeat(67 * 1024));
    let deep = |depth: usize| format!("{{\"name\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    let mut bodies = vec![
        (413, padded),
        (400, deep(100)),
        // The object is a level, too: eight are read, and nine are not.
        (422, deep(7)),
        (400, deep(8)),
        (400, "{\"name\": 1e400}".to_owned()),
        (400, "{\"name\": NaN}".to_owned()),
        (400, "{\"name\": \"\u{1}\"}".to_owned()),
        (
            422,
            "{\"id\": 1, \"user_id\": 2, \"role\": \"admin\", \"total_checks\": 9}".to_owned(),
        ),
    ];
    for (name, value) in good.as_object().unwrap() {
        if value.is_string() && !name.contains("password") {
            let mut body = good.clone();
            body[name] = json!(format!("{}\u{0}", value.as_str().unwrap()));
            bodies.push((422, body.to_string()));
        }
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_are_refused_on_every_route_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let user = app.user().await;
    let service = user.service("a").await;
    let before = user.show(&service).await.expect(200);
    let mut tried = 0;
    for (method, path, operation) in operations(&document) {
        let good = &operation["requestBody"]["content"]["application/json"]["example"];
        if !good.is_object() || path.contains("/admin/") {
            continue;
        }
        let path = path.replace("{id}", service["id"].as_str().unwrap());
        for (status, body) in hostile(good) {
            let answer = user.send(method.clone(), &path, body.clone()).await;
            assert_eq!(
                answer.status,
                status,
                "{method} {path} {}: {}",
                &body[..body.len().min(80)],
                answer.text
            );
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    assert_eq!(user.show(&service).await.expect(200), before);
    assert_eq!(
        app.db.value::<i64>("SELECT count(*) FROM services").await,
        1
    );
    assert_eq!(app.db.value::<i64>("SELECT count(*) FROM users").await, 1);
}
