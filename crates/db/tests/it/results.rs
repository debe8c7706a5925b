//! A result counts once.

use chrono::{DateTime, TimeDelta, Utc};
use db::Failure;
use db::results::{ProbeResult, insert_new};
use testkit::TestDb;
use uuid::Uuid;

fn result(at: DateTime<Utc>, slot: i64) -> ProbeResult {
    ProbeResult {
        service_id: Uuid::from_u128(7),
        scheduled_at: at + TimeDelta::seconds(slot),
        region: "default".to_owned(),
        kind: 0,
        outcome: 0,
        status_code: Some(200),
        config_version: 1,
        probe_id: Uuid::new_v4(),
        checked_at: at,
        counted: true,
        moves_state: true,
        voided: false,
        error_kind: None,
        hops: 0,
        latency_us: Some(1234),
        dns_us: None,
        connect_us: Some(100),
        tls_us: None,
        request_us: Some(10),
        first_byte_us: Some(1000),
        total_us: Some(1300),
        error_message: None,
        prober: "prober-1".to_owned(),
    }
}

#[tokio::test]
async fn a_result_that_comes_again_takes_no_second_time() {
    let test = TestDb::new().await;
    let now = db::time::measure(test.db()).await.unwrap().server_now;
    let mut conn = test.conn().await;
    let rows: Vec<_> = (0..500).map(|slot| result(now, slot)).collect();

    let first = insert_new(&mut conn, &rows[..300]).await.unwrap();
    assert_eq!(first.len(), 300);

    // Redelivered: the ids differ, the slots do not.
    let mut again: Vec<_> = (200..500).map(|slot| result(now, slot)).collect();
    again.push(result(now, 499));
    let mut took = insert_new(&mut conn, &again).await.unwrap();
    let mut expected: Vec<_> = again[100..300].iter().map(|row| row.probe_id).collect();
    took.sort();
    expected.sort();
    assert_eq!(took, expected);

    let count: i64 = test.value("SELECT count(*) FROM probe_results").await;
    assert_eq!(count, 500);
    assert_eq!(
        insert_new(&mut conn, &[]).await.unwrap(),
        Vec::<Uuid>::new()
    );
}

#[tokio::test]
async fn another_kind_or_region_of_the_same_moment_is_another_result() {
    let test = TestDb::new().await;
    let now = db::time::measure(test.db()).await.unwrap().server_now;
    let rows = [
        result(now, 0),
        ProbeResult {
            kind: 2,
            ..result(now, 0)
        },
        ProbeResult {
            region: "eu".to_owned(),
            error_message: Some("expected 200".to_owned()),
            ..result(now, 0)
        },
    ];
    assert_eq!(
        insert_new(&mut *test.conn().await, &rows)
            .await
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn a_result_outside_all_partitions_is_an_error_of_its_own() {
    let test = TestDb::new().await;
    let now = db::time::measure(test.db()).await.unwrap().server_now;
    let old = result(now - TimeDelta::days(1000), 0);
    let error = insert_new(&mut *test.conn().await, &[old])
        .await
        .unwrap_err();
    assert!(
        !matches!(
            Failure::of(&error),
            Failure::Unavailable | Failure::Conflict
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn hot_statements_are_prepared_once_a_connection() {
    let test = TestDb::new().await;
    let now = db::time::measure(test.db()).await.unwrap().server_now;
    let mut conn = test.conn().await;
    for slot in 0..3 {
        insert_new(&mut conn, &[result(now, slot)]).await.unwrap();
    }
    assert_eq!(prepared(&mut conn).await, 1);
}

async fn prepared(conn: &mut db::Conn) -> i64 {
    use diesel_async::RunQueryDsl as _;
    diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "(SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO probe_results%')",
    ))
    .get_result(conn)
    .await
    .unwrap()
}
