//! What a tenant may have, and what he may see.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;
use testkit::{FakeTarget, Step, eventually};

use crate::stack::Stack;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_never_see_each_others_services() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let (owner, stranger) = (stack.tenant().await, stack.tenant().await);
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1h"}))
        .await;
    eventually(async || !owner.results(&id).await.is_empty()).await;

    let routes = [
        (Method::GET, format!("/services/{id}"), None),
        (
            Method::PUT,
            format!("/services/{id}"),
            Some(json!({"name": "mine now"})),
        ),
        (
            Method::PATCH,
            format!("/services/{id}"),
            Some(json!({"is_active": false})),
        ),
        (Method::DELETE, format!("/services/{id}"), None),
        (Method::POST, format!("/services/{id}/probe"), None),
        (Method::GET, format!("/dashboard/{id}"), None),
        (Method::GET, format!("/dashboard/{id}/alerts"), None),
        (Method::GET, format!("/dashboard/{id}/incidents"), None),
        (Method::GET, format!("/dashboard/{id}/latency"), None),
    ];
    for (method, path, body) in routes {
        let answer = stranger.send(method.clone(), &path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {:#}", answer.body);
    }
    let list = stranger.get("/services").await;
    assert_eq!(list["services"], json!([]));
    let overview = stranger.get("/dashboard").await;
    assert_eq!(overview["services"], json!([]));
    let service = owner.service(&id).await;
    assert_eq!(service["name"], "a service");
    assert_eq!(service["is_active"], true);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fourth_active_service_is_refused_and_deleting_or_pausing_frees_the_slot() {
    let stack = Stack::start().await;
    let tenant = stack.tenant().await;
    let service = |n: usize| json!({"url": format!("https://example.com/{n}")});
    let creates = join_all((0..20).map(|n| tenant.create(service(n)))).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        creates.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), refused.len()), (3, 17));
    for answer in refused {
        let problem = answer.expect(409);
        assert_eq!(problem["type"], "/problems/quota-exceeded");
    }
    let ids: Vec<String> = made
        .into_iter()
        .map(|answer| answer.body["id"].as_str().unwrap().to_owned())
        .collect();

    tenant.change(&ids[0], json!({"is_active": false})).await;
    tenant.watch(service(100)).await;
    tenant.create(service(101)).await.expect(409);
    let resume = tenant
        .send(
            Method::PATCH,
            &format!("/services/{}", ids[0]),
            Some(json!({"is_active": true})),
        )
        .await;
    resume.expect(409);
    tenant
        .send(Method::DELETE, &format!("/services/{}", ids[1]), None)
        .await
        .expect(204);
    tenant.change(&ids[0], json!({"is_active": true})).await;
    tenant.create(service(102)).await.expect(409);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_never_changes() {
    let stack = Stack::start().await;
    let tenant = stack.tenant().await;
    let id = tenant.watch(json!({"url": "https://example.com/a"})).await;
    let path = format!("/services/{id}");
    for method in [Method::PUT, Method::PATCH] {
        let body = json!({"url": "https://example.com/b"});
        let problem = tenant.send(method, &path, Some(body)).await.expect(422);
        assert_eq!(problem["errors"][0]["field"], "url");
    }
    // The same one is no change.
    let same = json!({"url": "https://example.com/a", "name": "renamed"});
    tenant
        .send(Method::PUT, &path, Some(same))
        .await
        .expect(200);
    assert_eq!(tenant.service(&id).await["url"], "https://example.com/a");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_and_deleted_services_are_neither_probed_nor_alerted() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    target.answer(Step::status(500));
    let watch = async |path: &str| {
        let service = json!({"name": path, "url": target.url(path), "interval": "1s"});
        tenant.watch(service).await
    };
    let paused = watch("/paused").await;
    let deleted = watch("/deleted").await;
    let other = watch("/other").await;
    for id in [&paused, &deleted] {
        eventually(async || tenant.service(id).await["failure_streak"] == 1).await;
    }
    tenant.change(&paused, json!({"is_active": false})).await;
    tenant
        .send(Method::DELETE, &format!("/services/{deleted}"), None)
        .await
        .expect(204);
    assert_eq!(tenant.service(&paused).await["current_status"], "paused");
    tenant
        .send(Method::GET, &format!("/services/{deleted}"), None)
        .await
        .expect(404);

    // The third goes on long enough for whatever was dispatched to come through.
    let probed = async |more: usize| {
        let before = target.count("/other");
        eventually(async || target.count("/other") >= before + more).await;
    };
    probed(5).await;
    let counts = || (target.count("/paused"), target.count("/deleted"));
    let settled = counts();
    probed(4).await;
    assert_eq!(counts(), settled);
    eventually(async || {
        tenant.alerts(&other).await == [("failure_streak".to_owned(), "sent".to_owned())]
    })
    .await;
    let subjects = stack.resend.subjects_to(&tenant.email);
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(subjects[0].contains("/other"), "{subjects:?}");
    stack.stop().await;
}
