//! The program itself: its environment, its signals, its exit codes.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::TestVhost;

use crate::pipeline::{self, PROBER_RIGHTS};
use crate::support::target::{OK, Target};

/// Stopped with the test, whatever happens.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn program(variables: &[(&str, &str)]) -> Program {
    let child = Command::new(env!("CARGO_BIN_EXE_pulsemon-prober"))
        .env_clear()
        .envs(variables.iter().copied())
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_proxies_of_the_environment_are_ignored_and_a_signal_ends_it_well() {
    let (canary, target) = (Target::answering(OK).await, Target::answering(OK).await);
    let vhost = TestVhost::new().await;
    let mut stage = pipeline::Stage::without_prober(vhost).await;
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
