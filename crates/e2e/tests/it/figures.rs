//! What a tenant is shown: percentiles, coverage, pages, and nothing older than it should be.

use serde_json::{Value, json};
use testkit::{FakeTarget, Step, eventually};
use tokio::time::Duration;

use crate::stack::{Plan, Stack};

/// How long the target takes to answer.
const DELAY_MS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latencies_are_shown_as_average_p95_and_p99_with_a_histogram() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    target.answer(Step::status(200).after(Duration::from_millis(DELAY_MS)));
    let tenant = stack.tenant().await;
    let id = tenant
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;

    let dashboard = eventually(async || {
        let dashboard = tenant.get(&format!("/dashboard/{id}?window=1h")).await;
        let judged = dashboard["checks"]["judged"].as_u64();
        if judged >= Some(4) {
            Ok(dashboard)
        } else {
            Err(dashboard)
        }
    })
    .await;

    let number = |of: &Value, field: &str| {
        of[field]
            .as_f64()
            .unwrap_or_else(|| panic!("{field}: {of:#}"))
    };
    // Sums are exact, percentiles within 2 %: the first bucket that can hold the delay begins below it.
    let delay = f64::from(u32::try_from(DELAY_MS).unwrap());
    for field in [
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
    ] {
        assert!(
            number(&dashboard, field) >= delay * 0.98,
            "{field}: {dashboard:#}"
        );
    }
    assert!(number(&dashboard, "p50_latency_ms") <= number(&dashboard, "p99_latency_ms"));
    let counted: u64 = dashboard["latency_histogram"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["count"].as_u64().unwrap())
        .sum();
    let checks = &dashboard["checks"];
    let check = |field: &str| {
        checks[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{checks:#}"))
    };
    assert_eq!(
        counted,
        check("judged"),
        "every success is in the histogram"
    );
    assert_eq!(
        check("due"),
        check("judged") + check("inconclusive") + check("missed") + check("excluded")
    );
    assert_eq!(check("failed"), 0);
    assert_eq!(dashboard["uptime_percentage"], 100.0);
    assert_eq!(dashboard["coverage_percentage"], 100.0);
    assert_eq!(dashboard["uptime"]["24h"], 100.0);
    let service = tenant.service(&id).await;
    for field in ["avg_latency_ms", "p95_latency_ms", "p99_latency_ms"] {
        assert!(number(&service, field) >= delay * 0.98, "{service:#}");
    }

    // The same slots, by minutes and by hours.
    for step in ["1m", "1h"] {
        let series = tenant
            .get(&format!("/dashboard/{id}/latency?window=1h&step={step}"))
            .await;
        let points = series["points"].as_array().unwrap();
        let sum: u64 = points
            .iter()
            .map(|point| point["checks"].as_u64().unwrap())
            .sum();
        assert!(sum >= check("judged"), "{step}: {series:#}");
        let last = points.iter().rfind(|point| point["checks"] != 0).unwrap();
        assert!(number(last, "p50_ms") >= delay * 0.98, "{last:#}");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_results_hold_every_row_once_while_rows_arrive() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let id = tenant
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    eventually(async || tenant.results(&id).await.len() >= 5).await;

    let whole: Vec<Value> = tenant.results(&id).await;
    let mut path = format!("/dashboard/{id}?limit=2");
    let mut paged: Vec<Value> = Vec::new();
    loop {
        let page = tenant.get(&path).await;
        paged.extend(page["recent_results"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["pagination"]["next_cursor"].as_str() else {
            assert_eq!(page["pagination"]["has_more"], false);
            break;
        };
        path = format!("/dashboard/{id}?limit=2&cursor={cursor}");
    }
    // Rows that came meanwhile stand before those that were there.
    let known = paged
        .iter()
        .position(|row| row["id"] == whole[0]["id"])
        .unwrap();
    assert_eq!(paged[known..], whole);
    let foreign = tenant
        .send(
            http::Method::GET,
            &path.replace("?limit=2", "/alerts?limit=2"),
            None,
        )
        .await;
    foreign.expect(400);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_older_than_30_days_are_gone_and_younger_ones_are_not() {
    let old_and_young = "INSERT INTO probe_results (service_id, scheduled_at, region, kind, outcome, \
             config_version, probe_id, checked_at, counted, moves_state, hops, prober) \
         SELECT gen_random_uuid(), at, 'default', 0, 1, 1, gen_random_uuid(), at, true, true, 1, 'test' \
           FROM unnest(ARRAY[clock_timestamp() - interval '31 days', \
                             clock_timestamp() - interval '29 days', \
                             clock_timestamp()]) AS at";
    let stack = Stack::with(Plan::default().prepared(old_and_young)).await;
    eventually(async || {
        let left = "SELECT count(*) FROM probe_results";
        let left = stack.db.value::<i64>(left).await;
        if left == 2 { Ok(()) } else { Err(left) }
    })
    .await;
    let oldest =
        "SELECT min(scheduled_at) > clock_timestamp() - interval '30 days' FROM probe_results";
    assert!(stack.db.value::<bool>(oldest).await);
    stack.stop().await;
}
