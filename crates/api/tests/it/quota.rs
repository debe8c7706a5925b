//! How many services a user may have: exact, whatever happens at once.

use futures_util::future::join_all;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_active_service_is_refused_until_one_is_paused_or_deleted() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let first = user.service("a").await;
    let second = user.service("b").await;
    user.service("c").await;
    let fourth = json!({"name": "d", "url": "https://d.example.com/"});
    user.create(&fourth).await.problem(409, "quota-exceeded");
    user.edit(&first, &json!({"is_active": false}))
        .await
        .expect(200);
    let fourth = user.create(&fourth).await.expect(201);
    // resuming takes a slot again
    user.edit(&first, &json!({"is_active": true}))
        .await
        .problem(409, "quota-exceeded");
    user.delete(&second).await.expect(204);
    user.edit(&first, &json!({"is_active": true}))
        .await
        .expect(200);
    // paused services take none
    let paused = json!({"name": "e", "url": "https://e.example.com/", "is_active": false});
    user.create(&paused).await.expect(201);
    let me = user.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me["quota"]["services"], json!({"limit": 3, "used": 3}));
    assert_eq!(user.show(&fourth).await.expect(200)["is_active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_parallel_creates_leave_exactly_three() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let user = app.user().await;
    let there = user.at(&twin);
    let bodies: Vec<_> = (0..20)
        .map(|n| json!({"name": "x", "url": format!("https://h{n}.example.com/")}))
        .collect();
    let users = [&user, &there].into_iter().cycle(); // half of them at another process
    let answers = join_all(users.zip(&bodies).map(|(user, body)| user.create(body))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 3);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "quota-exceeded");
    }
    assert_eq!(
        app.db.value::<i64>("SELECT count(*) FROM services").await,
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_creates_over_two_processes_share_one_free_slot() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let user = app.user().await;
    let there = user.at(&twin);
    user.service("a").await;
    user.service("b").await;
    let bodies: Vec<_> = (0..50)
        .map(|n| json!({"name": "x", "url": format!("https://h{n}.example.com/")}))
        .collect();
    let users = [&user, &there].into_iter().cycle();
    let answers = join_all(users.zip(&bodies).map(|(user, body)| user.create(body))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "quota-exceeded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_resumes_take_no_more_slots_than_there_are() {
    let settings = [("SERVICE_QUOTA", "1")];
    let app = TestApp::with(&settings).await;
    // One process lets one user's changes wait for each other anyway.
    let sibling = async || TestApp::on(std::sync::Arc::clone(&app.db), &settings).await;
    let (two, three) = (sibling().await, sibling().await);
    let user = app.user().await;
    let users = [user.at(&app), user.at(&two), user.at(&three)];
    let mut services = Vec::new();
    for n in 0..9 {
        let body =
            json!({"name": "x", "url": format!("https://h{n}.example.com/"), "is_active": false});
        services.push(users[n % 3].create(&body).await.expect(201));
    }
    let resume = json!({"is_active": true});
    let tries = users.iter().cycle().zip(&services);
    let tries = join_all(tries.map(|(user, service)| user.edit(service, &resume)));
    // All three meet in the database before any of them is through.
    let sql = app.db.client().await;
    let hold = "BEGIN; SELECT 1 FROM services FOR UPDATE";
    sql.batch_execute(hold).await.unwrap();
    let release = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        testkit::eventually(|| async { app.db.value::<i64>(waiting).await == 3 }).await;
        sql.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(tries, release);
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    let active = "SELECT count(*) FROM services WHERE is_active";
    assert_eq!(app.db.value::<i64>(active).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_may_have_ten_times_his_quota_in_all() {
    let app = TestApp::with(&[("SERVICE_QUOTA", "1")]).await;
    let user = app.user().await;
    let create = async |n: usize| {
        let body =
            json!({"name": "x", "url": format!("https://h{n}.example.com/"), "is_active": false});
        user.create(&body).await
    };
    for n in 0..10 {
        create(n).await.expect(201);
    }
    create(10).await.problem(409, "service-limit");
    app.db.execute("UPDATE users SET service_quota = 2").await;
    create(10).await.expect(201);
}
