//! The schema goes up, down and up again, and a process can tell where it stands.

use db::SchemaState;
use db::migrations::{check, known_versions, migrate, revert};
use db::{Db, Settings};
use testkit::TestDb;

const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' \
                      AND tablename NOT LIKE '\\_\\_diesel%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_up_down_and_up_again() {
    let test = TestDb::unmigrated().await;
    let all = known_versions().unwrap();
    assert_eq!(
        check(test.db()).await,
        SchemaState::Behind {
            pending: all.clone()
        }
    );

    assert_eq!(migrate(test.db()).await.unwrap(), all);
    assert_eq!(check(test.db()).await, SchemaState::Current);
    let tables: i64 = test.value(TABLES).await;
    assert_eq!(tables, 24);
    assert_eq!(migrate(test.db()).await.unwrap(), Vec::<String>::new());

    let mut backwards = all.clone();
    backwards.reverse();
    assert_eq!(revert(test.db(), usize::MAX).await.unwrap(), backwards);
    let tables: i64 = test.value(TABLES).await;
    assert_eq!(tables, 0, "down takes everything away");

    assert_eq!(migrate(test.db()).await.unwrap(), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_migrate_at_once_run_each_migration_once() {
    let test = TestDb::unmigrated().await;
    let (one, two) = tokio::join!(migrate(test.db()), migrate(test.db()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.len() + two.len(), known_versions().unwrap().len());
}

#[tokio::test]
async fn a_newer_schema_and_a_silent_server_are_told_apart() {
    let test = TestDb::new().await;
    assert_eq!(check(test.db()).await, SchemaState::Current);

    test.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101')")
        .await;
    assert_eq!(
        check(test.db()).await,
        SchemaState::Ahead {
            unknown: vec!["99990101".to_owned()]
        }
    );

    test.execute(
        "DELETE FROM __diesel_schema_migrations WHERE version IN ('00000000000004', '99990101')",
    )
    .await;
    assert!(
        matches!(check(test.db()).await, SchemaState::Behind { pending } if pending.len() == 1)
    );

    let nobody = "postgres://nobody@127.0.0.1:1/none".to_owned().into();
    let away = Db::connect(&Settings::from_url(&nobody).unwrap()).unwrap();
    let state = check(&away).await;
    assert!(
        matches!(&state, SchemaState::Unreachable { .. }),
        "{state:?}"
    );
}
