//! Partitions are there before they are needed and go when their time is over.

use chrono::{DateTime, TimeDelta, Utc};
use db::partitions::{self, Keep};
use testkit::TestDb;

const KEEP: Keep = Keep {
    results: 30,
    hourly: 70,
    daily: 400,
};

fn noon() -> DateTime<Utc> {
    "2031-05-07T12:00:00Z".parse().unwrap()
}

async fn fresh() -> TestDb {
    let test = TestDb::unmigrated().await;
    db::migrations::migrate(test.db()).await.unwrap();
    test
}

async fn insert(test: &TestDb, at: DateTime<Utc>) {
    let at = at.to_rfc3339();
    test.execute(&format!(
        "INSERT INTO probe_results (service_id, scheduled_at, region, kind, outcome, config_version, \
           probe_id, checked_at, counted, moves_state, hops, prober) \
         VALUES (gen_random_uuid(), '{at}', 'default', 0, 0, 1, gen_random_uuid(), '{at}', true, true, 0, 'p'); \
         INSERT INTO rollup_hourly VALUES (gen_random_uuid(), 'default', '{at}', 0, 0, 0, 0, 0, 0, NULL, NULL, ''); \
         INSERT INTO rollup_daily VALUES (gen_random_uuid(), 'default', '{at}', 0, 0, 0, 0, 0, 0, NULL, NULL, '')"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_moment_that_may_be_written_has_its_partition() {
    let test = fresh().await;
    let made = partitions::ensure(test.db(), noon(), KEEP).await.unwrap();
    assert!(
        made.contains(&"probe_results_20310407".to_owned()),
        "{made:?}"
    );
    assert!(
        made.contains(&"rollup_daily_20300401".to_owned()),
        "{made:?}"
    );
    for day in [-30, -1, 0, 1, 14] {
        insert(&test, noon() + TimeDelta::days(day)).await;
    }
    let none = partitions::ensure(test.db(), noon(), KEEP).await.unwrap();
    assert_eq!(none, Vec::<String>::new());
    let next = partitions::ensure(test.db(), noon() + TimeDelta::days(1), KEEP)
        .await
        .unwrap();
    assert_eq!(next, ["probe_results_20310522"]);
    let checks: i64 = test
        .value("SELECT count(*) FROM pg_constraint WHERE conname LIKE '%\\_span'")
        .await;
    assert_eq!(checks, 0, "the help of attaching is taken away again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_kept_goes_and_what_is_younger_stays() {
    let test = fresh().await;
    for back in [0, 29] {
        let then = noon() - TimeDelta::days(back);
        partitions::ensure(test.db(), then, KEEP).await.unwrap();
    }
    for day in [-40, -32, -31, -30, -29, 0] {
        insert(&test, noon() + TimeDelta::days(day)).await;
    }
    let dropped = partitions::drop_expired(test.db(), noon(), KEEP)
        .await
        .unwrap();
    assert_eq!(dropped.len(), 34, "{dropped:?}");
    assert!(
        !dropped.contains(&"probe_results_20310407".to_owned()),
        "its last row is 30 days old"
    );
    let kept: i64 = test.value("SELECT count(*) FROM probe_results").await;
    assert_eq!(kept, 3);
    let again = partitions::drop_expired(test.db(), noon(), KEEP)
        .await
        .unwrap();
    assert_eq!(again, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_died_between_detaching_and_dropping_is_finished_by_the_next() {
    let test = fresh().await;
    partitions::ensure(test.db(), noon(), KEEP).await.unwrap();
    let client = test.client().await;
    for name in ["probe_results_20310408", "probe_results_20310409"] {
        let sql = format!("ALTER TABLE probe_results DETACH PARTITION {name} CONCURRENTLY");
        client.batch_execute(&sql).await.unwrap();
    }
    // One is expired a day later and is dropped; the other is still wanted and comes back.
    let later = noon() + TimeDelta::days(2);
    let dropped = partitions::drop_expired(test.db(), later, KEEP)
        .await
        .unwrap();
    assert_eq!(
        dropped,
        ["probe_results_20310407", "probe_results_20310408"]
    );
    let made = partitions::ensure(test.db(), later, KEEP).await.unwrap();
    assert!(
        made.contains(&"probe_results_20310409".to_owned()),
        "{made:?}"
    );
    insert(&test, "2031-04-09T23:59:59Z".parse().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_in_the_way_delays_the_drop_and_blocks_no_writer() {
    let test = fresh().await;
    partitions::ensure(test.db(), noon(), KEEP).await.unwrap();
    let mut reader = test.client().await;
    let reading = reader.transaction().await.unwrap();
    reading
        .query("SELECT count(*) FROM probe_results", &[])
        .await
        .unwrap();

    let later = noon() + TimeDelta::days(1);
    let db = test.db().clone();
    let dropping = tokio::spawn(async move { partitions::drop_expired(&db, later, KEEP).await });
    testkit::eventually(async || {
        let pending: bool = test
            .value("SELECT count(*) > 0 FROM pg_inherits WHERE inhdetachpending")
            .await;
        pending
    })
    .await;
    insert(&test, noon()).await;
    reading.commit().await.unwrap();
    assert_eq!(dropping.await.unwrap().unwrap(), ["probe_results_20310407"]);
}
