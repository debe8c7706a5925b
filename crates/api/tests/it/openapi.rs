//! The document that the process serves: its examples, its answers, and what it says about requests.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::schema::{complaints, fields, resolved};

/// Every operation: its method, its path, and what the document says.
pub(crate) fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().clone();
        let path = path.clone();
        operations.into_iter().map(move |(method, operation)| {
            let method: Method = method.to_uppercase().parse().unwrap();
            (method, path.clone(), operation)
        })
    };
    paths.iter().flat_map(of_path).collect()
}

pub(crate) async fn document(app: &TestApp) -> Value {
    app.get("/api/v1/openapi.json").await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_openapi_3_1_and_its_examples_are_true() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/openapi.json").await;
    let document = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    for (method, path, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap();
        let bodies = answers.values().map(|answer| resolved(&document, answer));
        for body in bodies.chain([&operation["requestBody"]]) {
            for content in body["content"]
                .as_object()
                .into_iter()
                .flat_map(|all| all.values())
            {
                let named = content["examples"]
                    .as_object()
                    .into_iter()
                    .flat_map(|all| all.values());
                let named = named.map(|example| &resolved(&document, example)["value"]);
                for example in named.chain(content.get("example")) {
                    let found = complaints(&document, &content["schema"], example);
                    assert!(found.is_empty(), "{method} {path}: {found:#?}");
                    seen += 1;
                }
            }
        }
        assert!(!operation["summary"].as_str().unwrap().is_empty());
    }
    assert!(seen > 50, "{seen}");
}

/// Headers of the contract: an answer that has one is documented with it.
const TOLD: [&str; 9] = [
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
];

/// Holds an answer against what the document says about this operation.
#[track_caller]
pub(crate) fn conforms(document: &Value, method: &str, path: &str, answer: &Answer) {
    let operation = &document["paths"][path][method];
    let documented = &operation["responses"][answer.status.to_string()];
    assert!(
        documented.is_object(),
        "{method} {path} answered {} {}",
        answer.status,
        answer.text
    );
    let documented = resolved(document, documented);
    for (header, said) in documented["headers"].as_object().unwrap() {
        if resolved(document, said)["required"] == false {
            continue;
        }
        assert!(
            answer.headers.contains_key(header.as_str()),
            "{method} {path}: {header}"
        );
    }
    for header in TOLD {
        let is_told = answer.headers.contains_key(header.to_lowercase());
        let is_documented = documented["headers"][header].is_object();
        assert!(
            is_documented || !is_told,
            "{method} {path} {}: {header}",
            answer.status
        );
    }
    let Some(content) = documented["content"].as_object() else {
        assert_eq!(answer.text, "");
        return;
    };
    let media = answer.header("content-type");
    let schema = &content[media]["schema"];
    let found = complaints(document, schema, &answer.json());
    assert!(found.is_empty(), "{method} {path}: {found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_documented_field_by_field() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let user = app.user().await;
    let service = user.service("a").await;
    let mount = "/api/v1";
    for path in ["/auth/me", "/services", "/dashboard"] {
        let path = format!("{mount}{path}");
        conforms(&document, "get", &path, &user.get(&path).await);
        conforms(&document, "get", &path, &app.get(&path).await);
    }
    let id = service["id"].as_str().unwrap();
    for path in [
        "/services/{id}",
        "/dashboard/{id}",
        "/dashboard/{id}/alerts",
        "/dashboard/{id}/incidents",
        "/dashboard/{id}/latency",
    ] {
        let path = format!("{mount}{path}");
        conforms(
            &document,
            "get",
            &path,
            &user.get(&path.replace("{id}", id)).await,
        );
        conforms(
            &document,
            "get",
            &path,
            &user.get(&path.replace("{id}", "x")).await,
        );
    }
    let whole = "/api/v1/openapi.json";
    conforms(&document, "get", whole, &app.get(whole).await);
    let known = [("if-none-match", "*")];
    let known = app.send(Method::GET, whole, &known, "").await;
    assert_eq!(known.status, 304);
    conforms(&document, "get", whole, &known);
    for path in ["/healthz", "/readyz", "/health"] {
        conforms(&document, "get", path, &app.get(path).await);
    }
    let services = "/api/v1/services";
    let body = json!({"name": "b", "url": "https://b.example.com/"});
    conforms(&document, "post", services, &user.create(&body).await);
    conforms(&document, "post", services, &user.create(&body).await);
    conforms(
        &document,
        "post",
        services,
        &user.create(&json!({"name": ""})).await,
    );
    let one = "/api/v1/services/{id}";
    conforms(
        &document,
        "put",
        one,
        &user.edit(&service, &json!({"name": "c"})).await,
    );
    let probe = "/api/v1/services/{id}/probe";
    let too_soon = user.probe(&service).await;
    assert_eq!(too_soon.status, 429);
    conforms(&document, "post", probe, &too_soon);
    app.advance_seconds(60);
    conforms(&document, "post", probe, &user.probe(&service).await);
    let login = "/api/v1/auth/login";
    conforms(
        &document,
        "post",
        login,
        &app.login(&user.email, "wrong").await,
    );
    conforms(
        &document,
        "post",
        login,
        &app.login(&user.email, crate::app::PASSWORD).await,
    );
    conforms(&document, "delete", one, &user.delete(&service).await);
    conforms(&document, "get", one, &user.show(&service).await);
}

/// Values that a property's schema refuses.
fn refused_values(schema: &Value) -> Vec<Value> {
    let mut values = vec![json!({}), json!([])];
    let kind = &schema["type"];
    let allows = |name: &str| {
        *kind == *name
            || kind
                .as_array()
                .is_some_and(|all| all.contains(&json!(name)))
    };
    for (name, value) in [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("string", json!("text")),
    ] {
        if !allows(name) {
            values.push(value);
        }
    }
    if !allows("integer") && !allows("number") {
        values.push(json!(7));
    }
    if allows("integer") {
        values.push(json!(1.5));
    }
    let number = |name: &str| schema[name].as_f64();
    values.extend(number("minimum").map(|least| json!(least - 1.0)));
    values.extend(number("multipleOf").map(|unit| json!(1.0 + unit / 10.0)));
    values.extend(number("maximum").map(|most| json!(most + 1.0)));
    if schema["pattern"].is_string() {
        values.push(json!("a\u{1}b"));
    }
    if schema["enum"].is_array() {
        values.push(json!("surely not in the list"));
    }
    if let Some(least) = schema["minLength"].as_u64() {
        values.push(json!("x".repeat(usize::try_from(least).unwrap() - 1)));
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        values.push(json!("x".repeat(usize::try_from(most).unwrap() + 1)));
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_documented_body_refuses_is_refused_with_the_fields_name() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let user = app.user().await;
    // An admin is told about his fields, too.
    app.db.execute("UPDATE users SET role = 'admin'").await;
    let service = user.service("a").await;
    let mut tried = 0;
    for (method, path, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        if content.is_null() {
            continue;
        }
        let path = path.replace("{id}", service["id"].as_str().unwrap());
        let send = async |body: &Value| user.send(method.clone(), &path, body.to_string()).await;
        let schema = resolved(&document, &content["schema"]);
        let mut good = content["example"].clone();
        // The caller's own, where he is asked for it: else that would be wrong, too.
        for name in ["password", "current_password"] {
            if let Some(password) = good.get_mut(name) {
                *password = json!(crate::app::PASSWORD);
            }
        }
        assert_eq!(schema["additionalProperties"], false, "{method} {path}");
        for name in ["id", "user_id", "role", "total_checks"] {
            let mut body = good.clone();
            body[name] = json!(1);
            assert_eq!(send(&body).await.wrong_fields(), [name], "{method} {path}");
        }
        for name in schema["required"].as_array().unwrap() {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(name.as_str().unwrap());
            assert_eq!(
                send(&body).await.wrong_fields(),
                [name.as_str().unwrap()],
                "{method} {path}"
            );
        }
        for (name, property) in fields(&document, schema).unwrap() {
            for value in refused_values(&property) {
                let mut body = good.clone();
                body[&name] = value.clone();
                let answer = send(&body).await;
                assert_eq!(
                    answer.status, 422,
                    "{method} {path} {name} {value}: {}",
                    answer.text
                );
                assert!(
                    answer.wrong_fields().contains(&name),
                    "{method} {path} {name} {value}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(
        user.show(&service).await.expect(200)["name"],
        service["name"]
    );
    assert_eq!(
        app.db.value::<i64>("SELECT count(*) FROM services").await,
        1
    );
}

/// Pages for people, and what stands beside the contract: who counts clicks or balances load adds fields of his own.
fn takes_any_query(path: &str, operation: &Value) -> bool {
    let success = operation["responses"]["200"]["content"].as_object();
    let is_page = success.is_some_and(|media| media.keys().any(|name| name.contains("html")));
    is_page || !path.starts_with("/api/v1/")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_lets_an_unknown_field_pass() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let user = app.user().await;
    let service = user.service("a").await;
    let mut asked = 0;
    for (method, path, operation) in operations(&document) {
        if takes_any_query(&path, &operation) {
            continue;
        }
        let is_for_admins = path.contains("/admin/");
        let role = if is_for_admins { "admin" } else { "user" };
        app.db
            .execute(&format!("UPDATE users SET role = '{role}'"))
            .await;
        let id = service["id"].as_str().unwrap().to_owned();
        let id = if is_for_admins {
            user.id.to_string()
        } else {
            id
        };
        let path = path.replace("{id}", &id);
        let has_body = operation["requestBody"].is_object();
        let empty = if has_body { "{}" } else { "" };
        let send = async |query: &str, body: &str| {
            let path = format!("{path}{query}");
            user.send(method.clone(), &path, body.to_owned()).await
        };
        send("?surprise=%zz", empty)
            .await
            .problem(400, "malformed-request");
        let mut answers = vec![send("?surprise=1", empty).await];
        if has_body || method == Method::POST {
            answers.push(send("", r#"{"surprise": 1}"#).await);
        }
        for answer in answers {
            answer.problem(422, "validation-failed");
            let wrong = answer.wrong_fields();
            assert!(
                wrong.contains(&"surprise".to_owned()),
                "{method} {path}: {wrong:?}"
            );
            asked += 1;
        }
        // Nobody learns the fields of what he may not do.
        if is_for_admins {
            app.db.execute("UPDATE users SET role = 'user'").await;
            let answer = send("?surprise=1", empty).await;
            answer.problem(403, "admins-only");
        }
    }
    assert!(asked > 40, "{asked}");
    user.show(&service).await.expect(200);
    user.get("/auth/me").await.expect(200);
}
