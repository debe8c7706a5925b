//! Pages for people: the reference, and every kind of problem.

use serde_json::Value;

use crate::app::{Answer, TestApp};
use crate::openapi::{document, operations};

/// What a page needs so that nothing but us can be behind it.
#[track_caller]
fn is_a_page_of_ours(page: &Answer) {
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for foreign in [
        "<script", " style=", "onclick", "src=", "http://", "@import",
    ] {
        assert!(!page.text.contains(foreign), "{foreign}");
    }
    for link in page.text.split("href=\"").skip(1) {
        let local = link.starts_with('/') || link.starts_with('#');
        assert!(local, "{}", link.chars().take(40).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_shows_every_operation_schema_and_example_of_the_document() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let page = app.get("/docs").await;
    is_a_page_of_ours(&page);
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            page.text.contains(&format!("<section id=\"{id}\">")),
            "{id}"
        );
        assert!(page.text.contains(&path), "{method} {path}");
        for field in operation["parameters"].as_array().into_iter().flatten() {
            let field = crate::schema::resolved(&document, field);
            let name = field["name"].as_str().unwrap();
            assert!(
                page.text.contains(&format!("<code>{name}</code>")),
                "{name}"
            );
        }
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(
            page.text.contains(&format!("id=\"schema-{name}\"")),
            "{name}"
        );
    }
    // every anchor that is linked to is there
    for link in page.text.split("href=\"#").skip(1) {
        let anchor = link.split('"').next().unwrap();
        assert!(page.text.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    assert!(
        page.text
            .contains("&quot;current_status&quot;: &quot;up&quot;")
            || page.text.contains("&#34;current_status&#34;: &#34;up&#34;")
    );
    let style = app.get("/docs/style.css").await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, "text/css; charset=utf-8")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_problem_has_a_page() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let types = &document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let list = app.get("/problems").await;
    is_a_page_of_ours(&list);
    for kind in types.as_array().unwrap().iter().filter_map(Value::as_str) {
        let page = app.get(kind).await;
        is_a_page_of_ours(&page);
        assert!(page.text.contains(kind), "{kind}");
        assert!(list.text.contains(&format!("href=\"{kind}\"")), "{kind}");
    }
    // what an answer says leads somewhere
    let problem = app
        .get("/api/v1/services")
        .await
        .problem(401, "unauthorized");
    is_a_page_of_ours(&app.get(problem["type"].as_str().unwrap()).await);
    app.get("/problems/none").await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_at_the_beginning_is_led_to_the_reference() {
    let app = TestApp::start().await;
    for path in ["/", "/docs/", "/api/v1", "/api/v1/"] {
        let led = app.get(path).await;
        assert_eq!(
            (led.status, led.header("location")),
            (302, "/docs"),
            "{path}"
        );
        let posted = app.post(path, &Value::Null).await;
        posted.problem(405, "method-not-allowed");
        assert_eq!(posted.header("allow"), "GET, HEAD, OPTIONS");
    }
    app.get("/api").await.problem(404, "not-found");
    app.get("/api/v1/none").await.problem(404, "not-found");
}
