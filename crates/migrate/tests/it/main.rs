//! What an operator may expect of the migration step.

#![allow(
    clippy::unwrap_used,
    reason = "a broken fixture should stop the test where it broke"
)]

use std::collections::HashMap;

use migrate::{Command, Config, run};
use secrecy::ExposeSecret as _;
use testkit::TestDb;

fn config(test: &TestDb) -> Config {
    let vars = HashMap::from([("DATABASE_URL", test.url().expose_secret().to_owned())]);
    Config::from_env(&vars).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_database_takes_results_of_today_right_after_up() {
    let test = TestDb::unmigrated().await;
    assert!(!run(config(&test), Command::Check).await.unwrap());
    assert!(run(config(&test), Command::Up).await.unwrap());
    assert!(run(config(&test), Command::Check).await.unwrap());
    test.execute(
        "INSERT INTO probe_results (service_id, scheduled_at, region, kind, outcome, config_version, \
           probe_id, checked_at, counted, moves_state, hops, prober) \
         VALUES (gen_random_uuid(), now(), 'default', 0, 0, 1, gen_random_uuid(), now(), true, true, 0, 'p')",
    )
    .await;
    assert!(
        run(config(&test), Command::Up).await.unwrap(),
        "a second run finds nothing to do"
    );

    assert!(run(config(&test), Command::Down(1)).await.unwrap());
    assert!(!run(config(&test), Command::Check).await.unwrap());
    assert!(run(config(&test), Command::Up).await.unwrap());
}

#[tokio::test]
async fn a_schema_from_a_newer_release_is_left_alone() {
    let test = TestDb::new().await;
    test.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101')")
        .await;
    let refused = run(config(&test), Command::Up).await.unwrap_err();
    assert!(refused.to_string().contains("99990101"), "{refused}");
}

#[test]
fn the_command_line_says_what_to_do_or_is_refused() {
    let parse =
        |words: &[&str]| Command::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(parse(&[]), Some(Command::Up));
    assert_eq!(parse(&["up"]), Some(Command::Up));
    assert_eq!(parse(&["--check"]), Some(Command::Check));
    assert_eq!(parse(&["down", "2"]), Some(Command::Down(2)));
    for wrong in [
        &["down"][..],
        &["down", "0"],
        &["down", "all"],
        &["up", "now"],
        &["--help"],
    ] {
        assert_eq!(parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let vars = HashMap::from([("DATABASE_URL", "mysql://x"), ("RETENTION_DAYS", "0")]);
    let errors = Config::from_env(&vars).unwrap_err();
    assert_eq!(errors.names(), ["DATABASE_URL", "RETENTION_DAYS"]);
}
