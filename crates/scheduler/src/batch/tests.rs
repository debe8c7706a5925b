use chrono::DateTime;
use models::probe::{Answers, probe_id};
use models::service::ServiceUrl;

use super::*;

fn job(number: usize, kind: ProbeKind, region: &str, url: &str) -> ProbeJob {
    let at = DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
    let service = uuid::Uuid::from_u128(u128::try_from(number).unwrap()).into();
    ProbeJob {
        probe_id: probe_id(service, region, kind, at, i32::MAX),
        service_id: service,
        user_id: uuid::Uuid::max().into(),
        kind,
        region: region.to_owned(),
        scheduled_at: at,
        not_after: at,
        config_version: i32::MIN,
        url: url.to_owned(),
        timeout_ms: u32::MAX,
        expected_status: u16::MAX,
        follow_redirects: false,
        avoid_prober: Some("p".repeat(100)),
        answers: Some(Answers {
            kind: ProbeKind::Catchup,
            scheduled_at: at,
        }),
        signature: None,
    }
}

fn keys() -> Keys {
    Keys::new(b"a key for tests", None).unwrap()
}

fn batches(jobs: Vec<ProbeJob>) -> Vec<Batch<usize>> {
    let keys = keys();
    let mut batches = Batches::new(DateTime::UNIX_EPOCH, &keys);
    for (number, job) in jobs.into_iter().enumerate() {
        batches.push(job, number).unwrap();
    }
    batches.finish().unwrap()
}

#[test]
fn fifty_jobs_fill_a_batch_and_none_is_lost_or_moved() {
    let jobs = (0..120)
        .map(|n| job(n, ProbeKind::Slot, "default", "http://a.test/"))
        .collect();
    let batches = batches(jobs);
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.items.len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    let items: Vec<usize> = batches.into_iter().flat_map(|batch| batch.items).collect();
    assert_eq!(items, (0..120).collect::<Vec<_>>());
}

#[test]
fn a_batch_never_outgrows_its_bytes() {
    let longest = format!("http://a.test/?q={}", "\"".repeat(2_000));
    let normal = ServiceUrl::parse(&longest[..600]).unwrap();
    for url in [normal.as_str().to_owned(), "x".repeat(2_048)] {
        let mut one = job(0, ProbeKind::Slot, "default", &url);
        one.signature = Some(keys().sign(&one));
        let json = serde_json::to_vec(&one).unwrap();
        assert!(json.len() < most_bytes(&one), "{}", json.len());
        let jobs = (0..60)
            .map(|n| job(n, ProbeKind::First, "default", &url))
            .collect();
        let batches = batches(jobs);
        let counts: usize = batches.iter().map(|batch| batch.items.len()).sum();
        assert_eq!(counts, 60);
        assert!(batches.len() > 1);
    }
}

#[test]
fn regions_have_batches_of_their_own_and_confirms_travel_alone() {
    let jobs = vec![
        job(0, ProbeKind::Slot, "eu", "http://a.test/"),
        job(1, ProbeKind::Slot, "us", "http://a.test/"),
        job(2, ProbeKind::Confirm, "eu", "http://a.test/"),
        job(3, ProbeKind::Slot, "eu", "http://a.test/"),
    ];
    let mut found: Vec<(String, Vec<usize>)> = batches(jobs)
        .into_iter()
        .map(|batch| (batch.region, batch.items))
        .collect();
    found.sort();
    let expected = [
        ("eu".to_owned(), vec![0, 3]),
        ("eu".to_owned(), vec![2]),
        ("us".to_owned(), vec![1]),
    ];
    assert_eq!(found, expected);
}
