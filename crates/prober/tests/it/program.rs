//! The program itself: its environment, its signals, its exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use models::probe::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use testkit::{FakeTarget, TestVhost, eventually};
use tokio::sync::Semaphore;

use crate::bombs::flooding;
use crate::selfcheck::{free_port, read_ops, ready_says};
use crate::support::stage::{PROBER_RIGHTS, Stage, held};
use crate::support::target::{OK, Target};

/// Stopped with the test, whatever happens.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulsemon-prober"));
    command.env_clear().envs(variables.iter().copied());
    command
}

fn program(variables: &[(&str, &str)]) -> Program {
    let child = command(variables)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Program(child.unwrap())
}

#[test]
fn a_bad_environment_stops_the_start_and_every_bad_variable_is_named() {
    let mut prober = program(&[
        ("WORKER_POOL_SIZE", "0"),
        ("PROBE_ALLOW_CIDRS", "home"),
        ("OPS_PORT", "0"),
    ]);
    assert_eq!(prober.0.wait().unwrap().code(), Some(2));
    let mut said = String::new();
    prober
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    for name in ["AMQP_URL", "WORKER_POOL_SIZE", "PROBE_ALLOW_CIDRS"] {
        assert!(said.contains(name), "{name} in {said}");
    }
}

/// A prober, what it logs until it takes jobs, and where its health and metrics are. It needs no broker for that.
fn start(more: &[(&str, &str)]) -> (Program, String, SocketAddr) {
    let ops = free_port();
    let port = ops.port().to_string();
    let mut variables = vec![
        ("AMQP_URL", "amqp://nobody@127.0.0.1:8"),
        ("OPS_PORT", port.as_str()),
        ("OPS_BIND", "127.0.0.1"),
    ];
    variables.extend(more);
    let mut command = command(&variables);
    let mut prober = Program(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut stdout = BufReader::new(prober.0.stdout.take().unwrap());
    let mut log = String::new();
    for line in stdout.by_ref().lines() {
        log.push_str(&line.unwrap());
        log.push('\n');
        if log.contains(r#""message":"probing""#) {
            break;
        }
    }
    prober.0.stdout = Some(stdout.into_inner()); // open, so that it can go on
    (prober, log, ops)
}

#[test]
fn a_prober_that_nothing_but_its_name_servers_vouches_for_says_so_at_its_start() {
    let (_bare, log, _) = start(&[]);
    let told = log.lines().find(|line| line.contains("SELF_CHECK_URLS"));
    let told = told.unwrap_or_else(|| panic!("{log}"));
    assert!(
        told.contains("WARN") && told.contains("is not set"),
        "{told}"
    );
    let (_checked, log, _) = start(&[("SELF_CHECK_URLS", "http://127.0.0.1:8/")]);
    assert!(log.contains("probing"), "{log}");
    // That they do not answer may be told as well.
    assert!(!log.contains("is not set"), "{log}");
}

#[tokio::test]
async fn what_is_opened_to_tenants_is_told_at_the_start_and_in_metrics() {
    let (_prober, log, ops) = start(&[("PROBE_ALLOW_CIDRS", "10.1.0.0/16, 127.0.0.1:8080")]);
    for rule in ["10.1.0.0/16", "127.0.0.1/32:8080"] {
        let told = format!(r#""rule":"{rule}""#);
        let line = log.lines().find(|line| line.contains(&told));
        assert!(line.unwrap().contains("WARN"), "{log}");
    }
    let metrics = read_ops(ops, "/metrics").await.unwrap();
    assert!(
        metrics.contains("\npulsemon_prober_allow_rules 2\n"),
        "{metrics}"
    );
    let (_closed, log, _) = start(&[]);
    assert!(!log.contains("PROBE_ALLOW_CIDRS"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_prober_does_and_whether_it_trusts_itself_is_told_in_metrics() {
    let (target, reference) = (Target::answering(OK).await, FakeTarget::http().await);
    let gate = Arc::new(Semaphore::new(0));
    let (slow, dead, ops) = (held(gate.clone()).await, free_port(), free_port());
    let mut stage = Stage::without_prober(TestVhost::new().await).await;
    let (configure, write, read) = PROBER_RIGHTS;
    let amqp_url = stage.vhost.restricted_url(configure, write, read).await;
    let _prober = program(&[
        ("AMQP_URL", secrecy::ExposeSecret::expose_secret(&amqp_url)),
        ("OPS_PORT", &ops.port().to_string()),
        ("OPS_BIND", "127.0.0.1"),
        ("PROBE_ALLOW_CIDRS", "127.0.0.0/8"),
        ("SELF_CHECK_URLS", &reference.url("/")),
    ]);
    let tells = async |lines: &[&str]| {
        eventually(|| async {
            let told = read_ops(ops, "/metrics").await.unwrap_or_default();
            let is_told = |line: &&str| told.lines().any(|told| told == *line);
            if lines.iter().all(is_told) {
                Ok(())
            } else {
                Err(told)
            }
        })
        .await;
    };
    stage.send(vec![stage.job(&target, 1, 100)]).await;
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    tells(&[
        r#"pulsemon_prober_probes_total{outcome="up",error_class="none"} 1"#,
        r#"pulsemon_prober_start_delay_ms_count{kind="slot"} 1"#,
        "pulsemon_prober_in_flight 0",
        "pulsemon_prober_self_check_failing 0",
    ])
    .await;

    // One probe runs when the way out is gone, which another one's failure shows.
    stage.send(vec![stage.job(&slow, 2, 0)]).await;
    eventually(|| async { slow.connections() == 1 }).await;
    tells(&["pulsemon_prober_in_flight 1"]).await;
    reference.stop().await;
    let mut failing = stage.job(&target, 3, 0);
    failing.url = format!("http://{dead}/");
    stage.send(vec![failing]).await;
    tells(&[
        "pulsemon_prober_self_check_failing 1",
        "pulsemon_prober_in_flight 0",
    ])
    .await;
    ready_says(ops, "503", "none of SELF_CHECK_URLS answers").await;
    let found = stage.results(1).await.remove(0);
    assert_eq!(found.outcome, Outcome::Inconclusive);

    reference.start().await;
    tells(&["pulsemon_prober_self_check_failing 0"]).await;
    let told = read_ops(ops, "/metrics").await.unwrap();
    assert!(
        told.contains("\npulsemon_prober_untrusted_results_total "),
        "{told}"
    );
    gate.add_permits(1);
}

/// Memory of a process in KiB, by its line in `/proc/<pid>/status`.
fn memory_kib(pid: u32, line: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|known| known.strip_prefix(line));
    line.unwrap()
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_endless_headers_and_bodies_take_little_memory() {
    const EACH: u64 = 40;
    let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let (headers, _) = flooding(b"HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 4096]).await;
    let (body, _) = flooding(huge, vec![b'x'; 64 * 1024]).await;
    let healthy = Target::answering(OK).await;
    let mut stage = Stage::without_prober(TestVhost::new().await).await;
    let (configure, write, read) = PROBER_RIGHTS;
    let amqp_url = stage.vhost.restricted_url(configure, write, read).await;
    let prober = program(&[
        ("AMQP_URL", secrecy::ExposeSecret::expose_secret(&amqp_url)),
        ("OPS_PORT", "0"),
        ("OPS_BIND", "127.0.0.1"),
        ("PROBE_ALLOW_CIDRS", "127.0.0.0/8"),
    ]);
    stage.send(vec![stage.job(&healthy, 0, 0)]).await;
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    let before = memory_kib(prober.0.id(), "VmRSS:");
    for (target, from) in [(&headers, 1), (&body, 1000)] {
        let jobs = (0..EACH).map(|n| stage.job(target, from + i32::try_from(n).unwrap(), 0));
        stage.send(jobs.collect()).await;
    }
    let found = stage.results(2 * usize::try_from(EACH).unwrap()).await;
    let count = |outcome| {
        found
            .iter()
            .filter(|result| result.outcome == outcome)
            .count()
    };
    assert_eq!((count(Outcome::Up), count(Outcome::Down)), (40, 40));
    let grown = memory_kib(prober.0.id(), "VmHWM:").saturating_sub(before);
    // Of the 64 places at one address new targets fill a quarter: a MiB for each of these (D14).
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_proxies_of_the_environment_are_ignored_and_a_signal_ends_it_well() {
    let (canary, target) = (Target::answering(OK).await, Target::answering(OK).await);
    let vhost = TestVhost::new().await;
    let mut stage = Stage::without_prober(vhost).await;
    let (configure, write, read) = PROBER_RIGHTS;
    let amqp_url = stage.vhost.restricted_url(configure, write, read).await;
    let proxy = canary.url("");
    let mut prober = program(&[
        ("AMQP_URL", secrecy::ExposeSecret::expose_secret(&amqp_url)),
        ("OPS_PORT", "0"),
        ("OPS_BIND", "127.0.0.1"),
        ("PROBE_ALLOW_CIDRS", &target.addr.to_string()),
        ("HTTP_PROXY", &proxy),
        ("http_proxy", &proxy),
        ("ALL_PROXY", &proxy),
        ("HTTPS_PROXY", &proxy),
    ]);
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    assert_eq!(stage.results(1).await[0].status_code, Some(200));
    assert_eq!((canary.connections(), target.connections()), (0, 1));
    let pid = Pid::from_child(&prober.0);
    kill_process(pid, Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || prober.0.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
}
