//! How far from its moment a probe begins, beside a loop that does nothing but wait for moments and probe.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::bare::{self, Scheme};
use crate::feed::Feed;
use crate::prober_process::Prober;
use crate::target::{Answers, Target};

/// Probes of a round.
const PROBES: u32 = 16_000;
/// Over which their moments are spread: 2 000 a second, a quarter of what one thread can do here.
const LASTS: TimeDelta = TimeDelta::seconds(8);
/// Places of the prober.
const PLACES: u32 = 1_000;
/// Rounds of each, in turns.
const ROUNDS: usize = 3;

/// The 50th, 99th and 99.9th percentile, in ms.
pub(crate) type Percentiles = [f64; 3];

/// Rounds of the loop and of the prober.
pub(crate) async fn rounds(
    feed: &mut Feed,
    target: &Target,
) -> (Vec<Percentiles>, Vec<Percentiles>) {
    let _prober = Prober::start(feed.url(), target, PLACES).await;
    // It learns which services are quick, and its clock's offset.
    feed.offsets(target, PROBES, LASTS).await;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        eprintln!("    lateness, round {round} of {ROUNDS}");
        let port = target.port(Answers::AtOnce(Scheme::Http)).to_string();
        let said = bare::ask(&["timers", &port]).await;
        bare.push([0, 1, 2].map(|n| said.get(n).copied().expect("three numbers")));
        ours.push(percentiles(feed.offsets(target, PROBES, LASTS).await));
    }
    (bare, ours)
}

/// The loop itself: a task for each moment, which then probes; prints the percentiles.
pub(crate) async fn timers(port: &str) {
    let port = port.parse().expect("a port");
    let lasts = LASTS.to_std().expect("a positive time");
    let begin = Instant::now() + Duration::from_secs(2);
    let mut tasks = JoinSet::new();
    for n in 0..PROBES {
        let due = begin + lasts * n / PROBES;
        tasks.spawn(async move {
            sleep_until(due).await;
            let off = due.elapsed().as_secs_f64() * 1000.0;
            bare::probe(n, port, None)
                .await
                .expect("the target answers");
            off
        });
    }
    let [half, most, nearly_all] = percentiles(tasks.join_all().await);
    println!("{half} {most} {nearly_all}");
}

fn percentiles(mut offsets: Vec<f64>) -> Percentiles {
    offsets.sort_by(f64::total_cmp);
    let at = |permille: usize| {
        let index = (offsets.len() * permille).div_ceil(1000).saturating_sub(1);
        offsets.get(index).copied().expect("at least one")
    };
    [at(500), at(990), at(999)]
}
