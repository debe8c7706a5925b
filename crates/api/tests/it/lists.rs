//! Lists: pages, filters, cursors.

use serde_json::{Value, json};

use crate::app::{TestApp, User};
use crate::openapi::{document, operations};

async fn names(user: &User<'_>, query: &str) -> Vec<String> {
    let list = user.get(&format!("/services{query}")).await.expect(200);
    let rows = list["services"].as_array().unwrap();
    rows.iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn fill(user: &User<'_>, count: usize) {
    for n in 0..count {
        let body = json!({"name": format!("s{n}"), "url": format!("https://h{n}.example.com/"), "is_active": false});
        user.create(&body).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_service_once_while_rows_arrive_and_times_are_equal() {
    let app = TestApp::start().await;
    let user = app.user().await;
    fill(&user, 7).await;
    app.db
        .execute("UPDATE services SET created_at = '2026-01-01T00:00:00Z' WHERE name <> 's6'")
        .await;
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let list = user.get(&format!("/services{query}")).await.expect(200);
        seen.extend(
            list["services"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["name"].clone()),
        );
        if seen.len() == 3 {
            let new = json!({"name": "new", "url": "https://new.example.com/", "is_active": false});
            user.create(&new).await.expect(201);
        }
        let pagination = &list["pagination"];
        let Some(cursor) = pagination["next_cursor"].as_str() else {
            assert_eq!(pagination["has_more"], false);
            break;
        };
        assert_eq!(pagination["has_more"], true);
        query = format!("?limit=3&cursor={cursor}");
    }
    assert_eq!(
        seen,
        ["s6", "s5", "s4", "s3", "s2", "s1", "s0"].map(Value::from)
    );
    assert_eq!(names(&user, "").await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_status_and_text() {
    let app = TestApp::with(&[("SERVICE_QUOTA", "5")]).await;
    let user = app.user().await;
    for name in ["up", "down", "failing", "unknown"] {
        user.service(name).await;
        app.db
            .execute(&format!(
                "UPDATE service_state SET status = '{name}' WHERE service_id = (SELECT id FROM services WHERE name = '{name}')"
            ))
            .await;
    }
    let paused =
        json!({"name": "100%_Sale\\", "url": "https://p.example.com/", "is_active": false});
    user.create(&paused).await.expect(201);
    for name in ["up", "down", "failing", "unknown"] {
        assert_eq!(names(&user, &format!("?status={name}")).await, [name]);
    }
    assert_eq!(names(&user, "?status=paused").await, ["100%_Sale\\"]);
    assert_eq!(names(&user, "?q=FAIL").await, ["failing"]);
    assert_eq!(names(&user, "?q=p.example").await, ["100%_Sale\\", "up"]);
    assert_eq!(names(&user, "?q=100%25_s").await, ["100%_Sale\\"]);
    assert_eq!(names(&user, "?q=%5C").await, ["100%_Sale\\"]);
    assert_eq!(names(&user, "?q=_").await, ["100%_Sale\\"]);
    assert_eq!(names(&user, "?status=up&q=down").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_are_refused_with_the_right_status() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    fill(&user, 3).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("status=broken", "status"),
        ("stauts=up", "stauts"),
        ("q=%00", "q"),
    ] {
        let answer = user.get(&format!("/services?{query}")).await;
        answer.problem(422, "validation-failed");
        assert_eq!(answer.wrong_fields(), [field], "{query}");
    }
    user.get("/services?q=%ff")
        .await
        .problem(400, "malformed-request");
    let list = user.get("/services?limit=1").await.expect(200);
    let cursor = list["pagination"]["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    user.get(&format!("/services?limit=2&cursor={cursor}"))
        .await
        .expect(200);
    for path in [
        format!("/services?cursor=x{cursor}"),
        "/services?cursor=2026-01-01T00:00:00Z".to_owned(),
        "/services?cursor=".to_owned(),
        "/services?cursor=%00".to_owned(),
        format!("/services?status=up&cursor={cursor}"),
    ] {
        user.get(&path).await.problem(400, "malformed-request");
    }
    other
        .get(&format!("/services?cursor={cursor}"))
        .await
        .problem(400, "malformed-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_opens_its_own_list_alone_and_for_a_day() {
    let app = TestApp::with(&[("JWT_EXPIRY_HOURS", "48")]).await;
    let document = document(&app).await;
    let user = app.user().await;
    app.db.execute("UPDATE users SET role = 'admin'").await;
    fill(&user, 2).await;
    let service: String = app.db.value("SELECT id::text FROM services LIMIT 1").await;
    let page = user.get("/services?limit=1").await.expect(200);
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    let with = async |path: &str| user.get(&format!("{path}?cursor={cursor}")).await;
    let mut others = 0;
    for (_, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let is_paged = parameters
            .filter_map(|field| field["$ref"].as_str())
            .any(|reference| reference.ends_with("/cursor"));
        if !is_paged || path == "/api/v1/services" {
            continue;
        }
        let answer = with(&path.replace("{id}", &service)).await;
        answer.problem(400, "malformed-request");
        others += 1;
    }
    assert!(others >= 7, "{others}");
    // The last letter holds bits of the seal.
    let (rest, last) = cursor.split_at(cursor.len() - 1);
    let tampered = if last == "A" { "Q" } else { "A" };
    user.get(&format!("/services?cursor={rest}{tampered}"))
        .await
        .problem(400, "malformed-request");
    app.advance_seconds(24 * 3600 - 60);
    with("/services").await.expect(200);
    app.advance_seconds(120);
    with("/services").await.problem(400, "malformed-request");
}
