//! The whole pipeline under load, beside a bare hyper loop: checks per second and CPU per check.
//!
//! `cargo xtask bench` starts the servers, builds the programs and runs this. It alternates
//! rounds of the bare loop with steps of the pipeline at rising rates, and prints one table.
//! Everything runs on this machine, over loopback. Start reading at [`measure()`].

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench stops where it cannot measure, and prints what it measured"
)]

mod bare;
mod cpu;
mod programs;
mod report;
mod services;
mod step;
mod target;

use std::time::Duration;

use testkit::{TestDb, TestVhost};
use tokio::signal::unix::{SignalKind, signal};

use cpu::Meters;
use programs::Programs;
use report::Report;
use services::Services;
use target::Target;

/// Checks per second, in rising order: from easy to beyond what two cores do.
const RATES: [u32; 5] = [500, 1000, 2000, 4000, 8000];

/// Between two steps, at most, for closed connections to leave the kernel's table.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

fn main() {
    // Cargo adds `--bench`; our own children come with a word and its numbers.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["target"] => one_thread(target::serve()),
        ["bare", port, probes] => {
            let port = port.parse().expect("a port");
            let probes = probes.parse().expect("a number of probes");
            one_thread(bare::run(port, probes));
        }
        _ => one_thread(until_stopped(measure())),
    }
}

/// One core at most: so the loop and the target are comparable from round to round.
fn one_thread(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work);
}

/// The work, or as much of it as there is time for until a signal: dropping it ends all children.
async fn until_stopped(work: impl Future<Output = ()>) {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal handler");
    tokio::select! {
        () = work => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A round of the bare loop, a step of the pipeline, and so on; the loop has the last word.
async fn measure() {
    let (db, vhost) = tokio::join!(TestDb::unmigrated(), TestVhost::new());
    programs::migrate(&db);
    let target = Target::start();
    let services = Services::add(&db, target.port(), RATES.into_iter().max().unwrap_or(0)).await;
    let programs = Programs::start(&db, &vhost).await;
    let meters = Meters::of(&programs, &target, &db, &vhost).await;

    let mut report = Report::default();
    for rate in RATES {
        eprintln!("    the bare loop, then {rate} slots/s");
        drain().await;
        report.bare(bare::round(target.port()));
        drain().await;
        report.step(step::measure(&services, &meters, rate).await);
    }
    drain().await;
    report.bare(bare::round(target.port()));
    println!("{report}");
}

/// Waits until the closed connections that the kernel remembers are few enough for the next round:
/// beyond its limit single connections stall for seconds.
async fn drain() {
    const ENOUGH: u64 = 80_000;
    let deadline = tokio::time::Instant::now() + DRAIN_DEADLINE;
    while cpu::closed_connections() > ENOUGH && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
