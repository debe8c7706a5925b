//! One prober beside a bare loop over the same target: CPU per probe, lateness, memory per probe in flight.
//!
//! The prober is the whole product process (`prober::run`): jobs come in from a broker as they do in production, results go
//! out and are confirmed. That broker is a small one of the bench's own ([`source`]), which leaves the cores to those that
//! are compared: target and broker have one, loop and prober in turns the other. Only the measured process is counted.
//! Start reading at [`measure()`].

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::as_conversions,
    reason = "a bench stops where it cannot measure, and prints what it measured"
)]

/// The programs' allocator, for the loops too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod bare;
mod exporter;
mod feed;
mod lateness;
mod prober_process;
mod proc;
mod report;
mod source;
mod target;

use tokio::signal::unix::{SignalKind, signal};

use bare::{Bare, Scheme};
use feed::Feed;
use prober_process::Prober;
use report::Report;
use target::{Answers, Target};

/// The core of what is measured, and the core of the target and of whoever hands out jobs.
const MEASURED: usize = 1;
const AROUND: usize = 0;

/// Alternating rounds: each loop and prober, HTTP and HTTPS. Many short ones, because a machine that is shared is faster
/// in one second and slower in the next: what stands in one ratio must have happened close together.
const ROUNDS: usize = 33;
/// The exporter takes ten times as long: it has its turn in every so many rounds.
const EXPORTER_EVERY: usize = 3;
/// Probes of one round: about a third of a second of CPU each.
const HTTP_PROBES: u32 = 4_000;
const HTTPS_PROBES: u32 = 1_200;
/// Probes at one time in loop and prober.
const IN_FLIGHT: u32 = 64;
/// Probes held open at one time, to see what one costs in memory.
const HELD: u32 = 10_000;
/// Places of the prober in the storm, and how many targets hang.
const STORM_POOL: u32 = 1_000;
const STORM: u32 = 5_000;

fn main() {
    proc::raise_file_limit();
    // Cargo adds `--bench`; our own children come with a word and its numbers.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["target"] => one_thread(AROUND, target::serve()),
        ["prober"] => one_thread(MEASURED, prober_process::run()),
        ["bare", rest @ ..] => one_thread(MEASURED, bare::run(rest)),
        ["timers", port] => one_thread(MEASURED, lateness::timers(port)),
        // All of it, or the parts that are named.
        _ => one_thread(AROUND, until_stopped(measure(Parts::of(&words)))),
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
struct Parts {
    http: bool,
    https: bool,
    lateness: bool,
    memory: bool,
}

impl Parts {
    fn of(words: &[&str]) -> Self {
        let named = |part: &str| words.contains(&part);
        let all = !["http", "https", "lateness", "memory"]
            .into_iter()
            .any(named);
        Self {
            http: all || named("http"),
            https: all || named("https"),
            lateness: all || named("lateness"),
            memory: all || named("memory"),
        }
    }

    /// Schemes and how many probes a round has.
    fn schemes(self) -> impl Iterator<Item = (Scheme, u32)> {
        let http = self.http.then_some((Scheme::Http, HTTP_PROBES));
        let https = self.https.then_some((Scheme::Https, HTTPS_PROBES));
        http.into_iter().chain(https)
    }
}

/// One core, one thread: so the loop, the prober and the target are comparable from round to round.
fn one_thread(core: usize, work: impl Future<Output = ()>) {
    proc::pin(core);
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

async fn measure(parts: Parts) {
    let mut feed = Feed::open().await;
    let target = Target::start();
    let mut report = Report::default();
    if parts.http || parts.https {
        cpu(parts, &mut feed, &target, &mut report).await;
    }
    if parts.lateness {
        proc::drain().await;
        let (bare, ours) = lateness::rounds(&mut feed, &target).await;
        report.lateness(bare, ours);
    }
    if parts.memory {
        memory(&mut feed, &target, &mut report).await;
    }
    println!("{report}");
}

/// The loop, the prober, the exporter where there is one; then the same with TLS, and all of it again.
async fn cpu(parts: Parts, feed: &mut Feed, target: &Target, report: &mut Report) {
    let prober = Prober::start(feed.url(), target, IN_FLIGHT).await;
    let exporter = exporter::Exporter::start(target).await;
    // The first handshakes and connections of a process cost more.
    feed.send_and_wait(target, Answers::AtOnce(Scheme::Https), 200)
        .await;
    for round in 1..=ROUNDS {
        for (scheme, probes) in parts.schemes() {
            eprintln!("    round {round} of {ROUNDS}, {scheme:?}");
            proc::drain().await;
            report.bare(scheme, Bare::round(target, scheme, probes).await);
            proc::drain().await;
            let before = prober.cpu();
            feed.send_and_wait(target, Answers::AtOnce(scheme), probes)
                .await;
            let used = prober.cpu().saturating_sub(before);
            report.prober(scheme, used.as_secs_f64() * 1e6 / f64::from(probes));
            if let Some(exporter) = exporter.as_ref().filter(|_| round % EXPORTER_EVERY == 1) {
                proc::drain().await;
                report.exporter(scheme, exporter.round(target, scheme).await);
            }
        }
    }
}

/// What a probe in flight costs, beside the same in the loop; then a storm of targets that never answer.
async fn memory(feed: &mut Feed, target: &Target, report: &mut Report) {
    eprintln!("    {HELD} probes in flight");
    proc::drain().await;
    report.held_bare(Bare::held(target, HELD).await);
    proc::drain().await;
    {
        let prober = Prober::start(feed.url(), target, HELD).await;
        let before = prober.memory().now;
        feed.send_and_wait(target, Answers::Late, HELD).await;
        let grown = prober.memory().most.saturating_sub(before);
        report.held_prober(grown as f64 / f64::from(HELD));
    }
    eprintln!("    {STORM} targets that hang, {STORM_POOL} places");
    let prober = Prober::start(feed.url(), target, STORM_POOL).await;
    feed.send_and_wait(target, Answers::Never, STORM_POOL).await;
    let once = prober.memory().most;
    feed.send_and_wait(target, Answers::Never, STORM).await;
    report.storm(once, prober.memory().most);
}
