//! What a name server says, told apart, and judged before anything is dialled. The guard is as it ships.

use models::probe::ErrorKind;
use testkit::FakeDns;
use testkit::dns::{Family, Reply};

use crate::responses::TIMEOUT_US;
use crate::support::target::{OK, Target};
use crate::support::{assert_down, job, probe_hastily, public_engine, run};

const BLOCKED: &str = "the destination is not allowed to be probed";

#[tokio::test]
async fn d05_d06_a_name_with_one_private_answer_is_blocked_and_no_packet_is_sent() {
    let (dns, canary) = (FakeDns::start().await, Target::answering(OK).await);
    let port = canary.addr.port();
    let many: Vec<String> = (0..40)
        .map(|n| format!("93.184.216.{n}"))
        .chain(["127.0.0.1".to_owned()])
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for answers in [
        vec!["127.0.0.1"],
        vec!["::1"],
        vec!["93.184.216.34", "127.0.0.1"],
        vec!["127.0.0.1", "93.184.216.34"],
        vec!["93.184.216.34", "::1"],
        vec!["2606:4700:4700::1111", "127.0.0.1"],
        vec!["::ffff:93.184.216.34"],
        vec!["169.254.169.254"],
        many,
    ] {
        dns.name("a.example", [Reply::addresses(answers.iter().copied())]);
        let job = job(&format!("http://a.example:{port}/"));
        let result = run(&public_engine(dns.addr(), &[]), &job).await;
        let message = assert_down(&result, ErrorKind::BlockedDestination);
        assert_eq!(message, BLOCKED, "{answers:?}");
        assert_eq!((result.hops, result.phases.connect_us), (0, None));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn refused_names_are_never_looked_up() {
    let dns = FakeDns::start().await;
    let engine = public_engine(dns.addr(), &[]);
    for host in [
        "localhost",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "db.internal",
        "x.home.arpa",
        "a.onion",
        "rabbitmq",
        "LOCALHOST.",
    ] {
        let result = run(&engine, &job(&format!("http://{host}/"))).await;
        assert_eq!(
            assert_down(&result, ErrorKind::BlockedDestination),
            BLOCKED,
            "{host}"
        );
    }
    assert_eq!(dns.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn every_way_in_which_a_name_has_no_address_has_its_kind() {
    let dns = FakeDns::start().await;
    dns.name("empty.example", [Reply::nothing()]);
    dns.name("broken.example", [Reply::servfail()]);
    dns.name(
        "winding.example",
        [Reply::addresses(["93.184.216.34"]).behind_aliases(9)],
    );
    let engine = public_engine(dns.addr(), &[]);
    for (host, kind) in [
        ("unknown.example", ErrorKind::DnsNxdomain),
        ("empty.example", ErrorKind::DnsNoAddress),
        ("broken.example", ErrorKind::DnsServfail),
        ("winding.example", ErrorKind::DnsServfail),
    ] {
        let result = run(&engine, &job(&format!("http://{host}/"))).await;
        assert_down(&result, kind);
        assert!(result.phases.dns_us.is_some() && result.phases.connect_us.is_none());
        assert_eq!((result.status_code, result.latency_us), (None, None));
    }
    assert!(
        dns.asked().iter().all(|name| name.ends_with(".example")),
        "no search domains"
    );
}

/// The runtime's clock stands still but for timers that are waited for.
#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_a_dns_timeout_at_the_timeout_of_the_service() {
    let dns = FakeDns::start().await;
    dns.name("a.example", [Reply::silence()]);
    let result = probe_hastily(&public_engine(dns.addr(), &[]), "http://a.example/").await;
    assert_down(&result, ErrorKind::DnsTimeout);
    let took = result.phases.total_us;
    assert!(TIMEOUT_US.contains(&took), "{took}");
    assert!(dns.questions("a.example", Family::V4) > 0);
}
