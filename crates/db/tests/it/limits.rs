//! The shared count follows the rule of `models`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use db::rate_limits::{Ask, ask, forget};
use models::limit::Count;
use testkit::TestDb;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn of(key: &str, want: u32) -> Ask {
    Ask {
        key: key.to_owned(),
        want,
        window: TimeDelta::minutes(1),
    }
}

#[tokio::test]
async fn the_row_counts_as_the_rule_says() {
    let test = TestDb::new().await;
    let mut conn = test.conn().await;
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut known = None;
    for (ms, want) in [
        (0, 1),
        (10, 30),
        (59_999, 2),
        (60_000, 3),
        (60_001, 1),
        (500_000, 7),
        (0, 1),
        (1, 1),
    ] {
        let now = begin + TimeDelta::milliseconds(ms);
        let rule = Count::after(known, want, now, TimeDelta::minutes(1));
        let rows = ask(&mut conn, &[of("a", want), of("b", 1)], now)
            .await
            .unwrap();
        assert_eq!(rows[0], rule, "at {ms}");
        known = Some(rule);
    }
    forget(&mut conn, &["a".to_owned()]).await.unwrap();
    let rows = ask(&mut conn, &[of("b", 1), of("a", 1)], begin)
        .await
        .unwrap();
    assert_eq!(rows[1].asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_asks_are_each_counted_once_and_never_wait_for_each_other() {
    // As many as the pool of a test has connections.
    const TASKS: usize = 4;
    const ROUNDS: usize = 10;
    let test = TestDb::new().await;
    let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    // So many keys that statements overlap, half of them the other way round: two that wait for each other are found.
    let keys: Vec<String> = (0..1000).map(|n| format!("key {n:04}")).collect();
    let begin = Arc::new(Barrier::new(TASKS));
    let mut all = JoinSet::new();
    for n in 0..TASKS {
        let mut asks: Vec<Ask> = keys.iter().map(|key| of(key, 1)).collect();
        if n % 2 == 1 {
            asks.reverse();
        }
        let mut conn = test.conn().await;
        let begin = Arc::clone(&begin);
        all.spawn(async move {
            begin.wait().await;
            for _ in 0..ROUNDS {
                ask(&mut conn, &asks, now).await.unwrap();
            }
        });
    }
    all.join_all().await;
    let asks: Vec<Ask> = keys.iter().map(|key| of(key, 1)).collect();
    let mut conn = test.conn().await;
    let rows = ask(&mut conn, &asks, now).await.unwrap();
    let expected = u64::try_from(TASKS * ROUNDS + 1).unwrap();
    assert!(
        rows.iter().all(|row| row.asked == expected),
        "{:?}",
        rows.first()
    );
}
