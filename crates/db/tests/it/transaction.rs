//! Transactions that meet are run again; those that must not be are not.

use std::sync::atomic::{AtomicU32, Ordering};

use db::{Abort, Conn, Error, Failure, QueryError, QueryResult};
use diesel_async::SimpleAsyncConnection as _;
use testkit::TestDb;
use tokio::sync::Barrier;

const COUNTERS: &str = "CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL CHECK (n < 100)); \
                        INSERT INTO counter VALUES (1, 0), (2, 0)";

async fn raise(conn: &mut Conn, id: i32) -> QueryResult<()> {
    conn.batch_execute(&format!("UPDATE counter SET n = n + 1 WHERE id = {id}"))
        .await
}

#[tokio::test]
async fn two_transactions_that_deadlock_both_commit_in_the_end() {
    let test = TestDb::unmigrated().await;
    test.execute(COUNTERS).await;
    let both_hold_one = Barrier::new(2);
    let runs = AtomicU32::new(0);
    let cross = async |first: i32, second: i32| {
        let met = AtomicU32::new(0);
        test.db()
            .transaction::<(), Error, _>(async |conn| {
                runs.fetch_add(1, Ordering::Relaxed);
                raise(conn, first).await?;
                if met.fetch_add(1, Ordering::Relaxed) == 0 {
                    both_hold_one.wait().await;
                }
                Ok(raise(conn, second).await?)
            })
            .await
    };
    let (one, two) = tokio::join!(cross(1, 2), cross(2, 1));
    one.unwrap();
    two.unwrap();
    assert_eq!(
        runs.load(Ordering::Relaxed),
        3,
        "one of them had to run again"
    );
    let sum: i64 = test.value("SELECT sum(n) FROM counter").await;
    assert_eq!(sum, 4);
}

#[tokio::test]
async fn a_conflict_that_never_ends_is_given_up_and_says_what_it_is() {
    let test = TestDb::unmigrated().await;
    let runs = AtomicU32::new(0);
    let error = test
        .db()
        .transaction::<(), Error, _>(async |conn| {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok(conn
                .batch_execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
                .await?)
        })
        .await
        .unwrap_err();
    assert_eq!(error.failure(), Failure::Conflict);
    assert_eq!(
        runs.load(Ordering::Relaxed),
        db::transaction::TRANSACTION_ATTEMPTS
    );
}

#[tokio::test]
async fn a_refused_row_names_its_constraint_and_is_not_tried_again() {
    let test = TestDb::unmigrated().await;
    test.execute(COUNTERS).await;
    let runs = AtomicU32::new(0);
    let refuse = async |sql: &str| {
        runs.store(0, Ordering::Relaxed);
        let run = test.db().transaction::<(), Error, _>(async |conn| {
            runs.fetch_add(1, Ordering::Relaxed);
            raise(conn, 1).await?;
            Ok(conn.batch_execute(sql).await?)
        });
        let failure = run.await.unwrap_err().failure();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        failure
    };
    assert!(
        refuse("INSERT INTO counter VALUES (1, 0)")
            .await
            .is_constraint("counter_pkey")
    );
    assert!(
        refuse("UPDATE counter SET n = 100")
            .await
            .is_constraint("counter_n_check")
    );
    assert_eq!(refuse("SELECT * FROM nowhere").await, Failure::Other);
    for value in [
        "SELECT 1/0",
        "SELECT 40000::smallint",
        "SELECT 'x'::uuid",
        "SELECT '300000-01-01'::timestamptz",
        "SELECT convert_from('\\xff', 'UTF8')",
        "SELECT '\"\\u0000\"'::jsonb::text",
    ] {
        assert_eq!(refuse(value).await, Failure::Data, "{value}");
    }
    let sum: i64 = test.value("SELECT sum(n) FROM counter").await;
    assert_eq!(sum, 0, "all of it was rolled back");
}

#[tokio::test]
async fn a_closure_that_changes_its_mind_rolls_back() {
    let test = TestDb::unmigrated().await;
    test.execute(COUNTERS).await;
    let done = test
        .db()
        .transaction::<(), Abort<&str>, _>(async |conn| {
            raise(conn, 1).await?;
            Err(Abort::Refused("over quota"))
        })
        .await;
    assert!(matches!(done, Err(Abort::Refused("over quota"))));
    let sum: i64 = test.value("SELECT sum(n) FROM counter").await;
    assert_eq!(sum, 0);
}

#[tokio::test]
async fn slow_and_locked_statements_are_told_apart_from_broken_ones() {
    let test = TestDb::unmigrated().await;
    let fail = async |sql: &str| {
        let mut conn = test.conn().await;
        Failure::of(&conn.batch_execute(sql).await.unwrap_err())
    };
    let slow = "SET statement_timeout = 1; SELECT pg_sleep(60)";
    assert_eq!(fail(slow).await, Failure::Unavailable);
    let states = [
        "53300", "57P01", "57P03", "53100", "53200", "57014", "42501", "08006",
    ];
    let texts = [
        "sorry, too many clients already",
        "terminating connection due to administrator command",
        "the database system is starting up",
        "could not extend file \"base/1\": No space left on device",
        "out of shared memory",
        "canceling statement due to user request",
        "permission denied for table probe_results",
        "connection closed",
    ];
    for (state, text) in states.iter().zip(texts) {
        let raise = format!("DO $$ BEGIN RAISE '{text}' USING ERRCODE = '{state}'; END $$");
        assert_eq!(fail(&raise).await, Failure::Unavailable, "{state}");
    }
    assert_eq!(Failure::of(&QueryError::NotFound), Failure::Other);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_half_way_leaves_nothing_behind() {
    let test = TestDb::unmigrated().await;
    test.execute(COUNTERS).await;
    let started = tokio::sync::Notify::new();
    let work = test.db().transaction::<(), Error, _>(async |conn| {
        raise(conn, 1).await?;
        started.notify_one();
        std::future::pending::<()>().await;
        Ok(())
    });
    tokio::select! {
        _ = work => unreachable!("it never ends"),
        () = started.notified() => {}
    }
    let fresh = test
        .db()
        .transaction::<(), Error, _>(async |conn| Ok(raise(conn, 1).await?));
    fresh.await.unwrap();
    let n: i32 = test.value("SELECT n FROM counter WHERE id = 1").await;
    assert_eq!(n, 1);
}
