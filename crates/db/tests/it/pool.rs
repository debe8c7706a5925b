//! The pool gives working connections, whatever happened to the old ones.

use std::time::Duration;

use db::{Db, Failure, Settings};
use diesel_async::SimpleAsyncConnection as _;
use secrecy::ExposeSecret as _;
use testkit::{TestDb, eventually};

#[tokio::test]
async fn a_terminated_backend_is_replaced_without_an_error() {
    let test = TestDb::new().await;
    test.db().ping().await.unwrap();
    let pid_before = pid(&test).await;

    test.terminate_sessions().await;
    // The socket's end reaches us in its own time; from then on nobody gets that connection.
    eventually(async || test.db().ping().await).await;
    assert_ne!(pid(&test).await, pid_before);
    test.db().ping().await.unwrap();
}

#[tokio::test]
async fn a_query_on_a_terminated_backend_is_unavailable_and_not_the_rows_fault() {
    let test = TestDb::new().await;
    let failed = test
        .db()
        .transaction::<(), db::Error, _>(async |conn| {
            test.terminate_sessions().await;
            Ok(db::transaction::limit_statements(conn, Duration::from_secs(1)).await?)
        })
        .await
        .unwrap_err();
    assert_eq!(failed.failure(), Failure::Unavailable, "{failed:?}");
}

#[tokio::test]
async fn more_callers_than_connections_are_told_so_in_bounded_time() {
    let test = TestDb::new().await;
    let one = Settings::from_url(&test.url()).unwrap().max_connections(1);
    let db = Db::connect(&one).unwrap();
    let held = db.conn().await.unwrap();
    let refused = db.conn().await.unwrap_err();
    assert_eq!(refused.failure(), Failure::Unavailable);
    drop(held);
    db.conn().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let url = "postgres://nobody@127.0.0.1:1/none".to_owned().into();
    let db = Db::connect(&Settings::from_url(&url).unwrap()).unwrap();
    assert_eq!(db.ping().await.unwrap_err().failure(), Failure::Unavailable);
}

#[test]
fn connections_outlive_the_runtime_that_borrowed_them() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let home = runtime();
    let (test, db) = home.block_on(async {
        let test = TestDb::new().await;
        let db = Db::connect(&Settings::from_url(&test.url()).unwrap().max_connections(1)).unwrap();
        (test, db)
    });
    // An HTTP worker opens the connection, and its runtime ends.
    let worker = runtime();
    let first = worker.block_on(async { backend(&mut db.conn().await.unwrap()).await });
    drop(worker);
    let second = home.block_on(async { backend(&mut db.conn().await.unwrap()).await });
    assert_eq!(first, second, "the socket lives on the pool's own runtime");
    home.block_on(async { drop(test) });
}

#[tokio::test]
async fn sessions_have_their_limits_and_speak_utc() {
    let test = TestDb::new().await;
    let mut conn = test.conn().await;
    for (name, value) in [
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("TimeZone", "UTC"),
        ("lc_messages", "C"),
        ("application_name", "pulsemon-test"),
    ] {
        assert_eq!(setting(&mut conn, name).await, value, "{name}");
    }
}

#[tokio::test]
async fn only_who_asks_for_one_plan_gets_one_and_keeps_the_settings_of_all() {
    let test = TestDb::new().await;
    let usual = || Settings::from_url(&test.url()).unwrap();
    for (settings, plans) in [
        (usual(), "auto"),
        (usual().one_plan(), "force_generic_plan"),
    ] {
        let db = Db::connect(&settings).unwrap();
        let mut conn = db.conn().await.unwrap();
        assert_eq!(setting(&mut conn, "plan_cache_mode").await, plans);
        assert_eq!(setting(&mut conn, "TimeZone").await, "UTC", "{plans}");
        let limit = setting(&mut conn, "statement_timeout").await;
        assert_eq!(limit, "5s", "{plans}");
    }
}

async fn pid(test: &TestDb) -> i32 {
    backend(&mut *test.conn().await).await
}

async fn backend(conn: &mut db::Conn) -> i32 {
    use diesel_async::RunQueryDsl as _;
    diesel::define_sql_function! { fn pg_backend_pid() -> diesel::sql_types::Integer; }
    diesel::select(pg_backend_pid())
        .get_result(conn)
        .await
        .unwrap()
}

async fn setting(conn: &mut db::Conn, name: &str) -> String {
    use diesel_async::RunQueryDsl as _;
    diesel::define_sql_function! {
        fn current_setting(name: diesel::sql_types::Text) -> diesel::sql_types::Text;
    }
    diesel::select(current_setting(name))
        .get_result(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn encryption_that_is_required_is_never_left_out() {
    let test = TestDb::new().await;
    let server_can: String = test.value("SHOW ssl").await;
    let url = format!("{}?sslmode=require", test.url().expose_secret());
    let db = Db::connect(&Settings::from_url(&url.into()).unwrap()).unwrap();
    let answer = db.ping().await;
    assert_eq!(answer.is_ok(), server_can == "on", "{answer:?}");
}

#[tokio::test]
async fn who_finds_no_near_connection_takes_a_shared_one_within_the_bound() {
    let test = TestDb::new().await;
    let few = Settings::from_url(&test.url()).unwrap();
    let db = Db::connect(&few.max_connections(4).near_threads(2)).unwrap();
    let (near, other) = (db.near(), db.near());
    let first = backend(&mut near.conn().await.unwrap()).await;
    let mut held = near.conn().await.unwrap();
    assert_eq!(backend(&mut held).await, first, "its own, again");
    let rest = [
        near.conn().await.unwrap(),
        near.conn().await.unwrap(),
        other.conn().await.unwrap(),
    ];
    let refused = other.conn().await.unwrap_err();
    assert_eq!(refused.failure(), Failure::Unavailable);
    drop((held, rest));
    assert_eq!(backend(&mut near.conn().await.unwrap()).await, first);
}

#[test]
fn near_connections_live_and_end_with_their_thread() {
    let home = tokio::runtime::Runtime::new().unwrap();
    let test = home.block_on(TestDb::new());
    let few = Settings::from_url(&test.url()).unwrap();
    let few = few.max_connections(2).near_threads(1);
    let db = home.block_on(async { Db::connect(&few).unwrap() });
    let thread = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let near = thread.block_on(async {
        let near = db.near();
        let first = backend(&mut near.conn().await.unwrap()).await;
        test.terminate_sessions().await;
        let healed = async || near.conn().await.unwrap().batch_execute("").await.is_ok();
        eventually(healed).await;
        assert_ne!(backend(&mut near.conn().await.unwrap()).await, first);
        near
    });
    drop(thread);
    // Its sockets ended with it, though its connections are still held: nothing of that thread is waited for.
    let closing = async { tokio::time::timeout(db::pool::CLOSE_TIMEOUT / 2, db.close()).await };
    home.block_on(closing).unwrap();
    drop(near);
    home.block_on(async { drop(test) });
}
