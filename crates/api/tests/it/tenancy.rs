//! Tenants never see each other's.

use http::Method;
use serde_json::Value;

use crate::app::TestApp;

/// Every route with an id in its path.
const ROUTES: [(Method, &str, &str); 5] = [
    (Method::GET, "/services/{id}", ""),
    (Method::PUT, "/services/{id}", r#"{"name": "mine"}"#),
    (
        Method::PATCH,
        "/services/{id}",
        r#"{"name": 7, "is_active": "x"}"#,
    ),
    (Method::DELETE, "/services/{id}", ""),
    (Method::POST, "/services/{id}/probe", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn foreign_unknown_and_malformed_ids_get_one_answer() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let service = owner.service("a").await;
    let before = owner.show(&service).await.expect(200);
    let foreign = service["id"].as_str().unwrap();
    let unknown = uuid::Uuid::now_v7().to_string();
    let braced = format!("%7B{foreign}%7D");
    let mut answers: Vec<Value> = Vec::new();
    for mount in ["", "/api/v1"] {
        for (method, route, body) in ROUTES {
            for id in [foreign, &unknown, "abc", "1", "%00", "..%2f", &braced] {
                let path = format!("{mount}{}", route.replace("{id}", id));
                let mut problem = stranger
                    .send(method.clone(), &path, body)
                    .await
                    .problem(404, "not-found");
                problem["instance"] = Value::Null;
                answers.push(problem);
            }
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(owner.show(&service).await.expect(200), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_only_the_callers_own() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let service = owner.service("a").await;
    let list = async |user: &crate::app::User<'_>| {
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

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_route_says_the_same() {
    let app = TestApp::start().await;
    for (method, route, body) in ROUTES {
        let path = route.replace("{id}", "abc");
        let json = [("content-type", "application/json")];
        app.send(method, &path, &json, body)
            .await
            .problem(401, "unauthorized");
    }
    for path in ["/services", "/auth/me"] {
        app.get(path).await.problem(401, "unauthorized");
    }
}
