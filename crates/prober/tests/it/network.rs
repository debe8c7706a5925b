//! The guard as it ships, in a network of its own with public-looking addresses: what is dialled, and what is not.

use std::net::SocketAddr;

use models::message::ProbeJob;
use models::probe::ErrorKind;
use testkit::dns::{Family, Reply};
use testkit::{FakeDns, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::bombs::flooding_on;
use crate::support::authority::{Authority, Leaf};
use crate::support::own_network::{
    NO_ROUTE, OTHER_V4, PRIVATE_V4, PUBLIC_V4, PUBLIC_V6, SILENT_V4, SILENT_V6, connections_begun,
    in_own_network, silent,
};
use crate::support::target::{OK, Target, read_head};
use crate::support::{assert_down, assert_up, job, probe_hastily, public_engine, run};

/// Answers every connection to `addr`, or to any address for `[::]`.
async fn answering(addr: &str, answer: impl Into<Vec<u8>>) -> Target {
    let answer: Vec<u8> = answer.into();
    let listener = TcpListener::bind(addr).await.unwrap();
    Target::on("http", listener, move |mut stream: TcpStream| {
        let answer = answer.clone();
        async move {
            read_head(&mut stream).await;
            drop(stream.write_all(&answer).await);
        }
    })
}

fn two_seconds(url: &str) -> ProbeJob {
    let mut job = job(url);
    job.timeout_ms = 2_000;
    job
}

#[test]
fn d05_d06_a_blocked_name_begins_no_connection_to_any_of_its_addresses() {
    in_own_network(
        "network::d05_d06_a_blocked_name_begins_no_connection_to_any_of_its_addresses",
        async {
            let (dns, canary) = (FakeDns::start().await, answering("[::]:80", OK).await);
            let engine = public_engine(dns.addr(), &[]);
            dns.name("good.example", [Reply::addresses([PUBLIC_V4])]);
            dns.name("bad.example", [Reply::addresses([PUBLIC_V4, PRIVATE_V4])]);
            dns.name("worse.example", [Reply::addresses([PUBLIC_V6, PRIVATE_V4])]);
            for url in [
                "http://bad.example/",
                "http://worse.example/",
                "http://10.0.0.5/",
                "http://169.254.169.254/",
                "http://[::1]/",
                "http://localhost/",
                "http://2130706433/",
                "http://93.184.216.34:25/",
                "http://u:p@93.184.216.34/",
            ] {
                assert_down(
                    &run(&engine, &job(url)).await,
                    ErrorKind::BlockedDestination,
                );
            }
            assert_eq!((connections_begun(), canary.connections()), (0, 0));
            assert_up(&run(&engine, &job("http://good.example/")).await);
            assert_eq!(
                (connections_begun(), canary.connections()),
                (1, 1),
                "the canary sings"
            );
        },
    );
}

#[test]
fn d07_a_name_that_rebinds_is_asked_once_a_hop_and_its_first_address_is_dialled() {
    in_own_network(
        "network::d07_a_name_that_rebinds_is_asked_once_a_hop_and_its_first_address_is_dialled",
        async {
            let (dns, public) = (
                FakeDns::start().await,
                answering(&format!("{PUBLIC_V4}:80"), OK).await,
            );
            let canary = answering("127.0.0.1:80", OK).await;
            let engine = public_engine(dns.addr(), &[]);
            let rebinds = || {
                [
                    Reply::addresses([PUBLIC_V4]),
                    Reply::addresses(["127.0.0.1"]),
                ]
            };
            dns.name("a.example", rebinds());
            assert_up(&run(&engine, &job("http://a.example/")).await);
            for family in [Family::V4, Family::V6] {
                assert_eq!(dns.questions("a.example", family), 1, "{family:?}");
            }
            let again = run(&engine, &job("http://a.example/")).await;
            assert_down(&again, ErrorKind::BlockedDestination);

            // The same over a redirect to itself: the second hop asks anew, and is blocked.
            let to_itself = "HTTP/1.1 302 Found\r\nLocation: http://b.example:81/x\r\n\r\n";
            let turning = answering(&format!("{PUBLIC_V4}:81"), to_itself).await;
            dns.name("b.example", rebinds());
            let result = run(&engine, &job("http://b.example:81/")).await;
            assert_down(&result, ErrorKind::RedirectBlocked);
            assert_eq!((result.hops, result.status_code), (1, Some(302)));
            assert_eq!(dns.questions("b.example", Family::V4), 2);
            assert_eq!(
                (
                    public.connections(),
                    turning.connections(),
                    canary.connections()
                ),
                (1, 1, 0)
            );
            assert_eq!(connections_begun(), 2);
        },
    );
}

#[test]
fn d08_a_redirect_into_the_private_network_begins_no_connection() {
    in_own_network(
        "network::d08_a_redirect_into_the_private_network_begins_no_connection",
        async {
            let (dns, canary) = (FakeDns::start().await, answering("[::]:8080", OK).await);
            dns.name("inside.example", [Reply::addresses([PRIVATE_V4])]);
            let engine = public_engine(dns.addr(), &[]);
            for (n, host) in [
                "127.0.0.1",
                "[::1]",
                "10.0.0.5",
                "169.254.169.254",
                "inside.example",
                "localhost",
            ]
            .into_iter()
            .enumerate()
            {
                let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{host}:8080/\r\n\r\n");
                let port = 9000 + n;
                let _turning = answering(&format!("{PUBLIC_V4}:{port}"), answer).await;
                let result = run(&engine, &job(&format!("http://{PUBLIC_V4}:{port}/"))).await;
                assert_down(&result, ErrorKind::RedirectBlocked);
                assert_eq!(result.status_code, Some(302), "{host}");
                assert_eq!(connections_begun(), u64::try_from(n).unwrap() + 1);
            }
            assert_eq!(canary.connections(), 0);
        },
    );
}

#[test]
fn d15_d17_no_flood_is_read_beyond_its_bound() {
    in_own_network(
        "network::d15_d17_no_flood_is_read_beyond_its_bound",
        async {
            // Nearly nothing fits between the two, so what the server got rid of is what was read.
            for buffer in ["tcp_rmem", "tcp_wmem"] {
                std::fs::write(format!("/proc/sys/net/ipv4/{buffer}"), "4096 8192 8192").unwrap();
            }
            const ON_ITS_WAY: usize = 16 * 1024;
            const BODY: usize = 64 * 1024;
            const ALL: usize = 256 * 1024;
            let engine = public_engine(FakeDns::start().await.addr(), &[]);
            let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n".as_slice();
            let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
            let line = b"HTTP/1.1 200 OK\r\nX: ".as_slice();
            let extended = format!("1;{}\r\na\r\n", "x".repeat(990));
            let floods: [(&'static [u8], &[u8], usize); 5] = [
                (line, &[b'x'; 1000], BODY / 2),
                (sized, &[b'x'; 1000], BODY),
                (chunked, &b"4\r\nabcd\r\n".repeat(100), 3 * BODY),
                (chunked, extended.as_bytes(), BODY / 2),
                (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", ALL),
            ];
            for (port, (opening, bytes, bound)) in (9000..).zip(floods) {
                let listener = TcpListener::bind((PUBLIC_V4, port)).await.unwrap();
                let (target, taken) = flooding_on(listener, opening, bytes.to_vec());
                let result = run(&engine, &job(&format!("http://{PUBLIC_V4}:{port}/"))).await;
                let taken = eventually(|| async { taken.get().copied() }).await;
                assert_eq!(target.connections(), 1);
                let said = result.error.map(|error| error.message);
                assert!(taken <= bound + ON_ITS_WAY, "{port}: {taken}, {said:?}");
            }
        },
    );
}

#[test]
fn an_address_that_is_silent_does_not_keep_the_next_one_waiting() {
    in_own_network(
        "network::an_address_that_is_silent_does_not_keep_the_next_one_waiting",
        async {
            let (dns, alive) = (
                FakeDns::start().await,
                answering(&format!("{PUBLIC_V4}:80"), OK).await,
            );
            let _nobody = (silent(SILENT_V4).await, silent(SILENT_V6).await);
            dns.name("a.example", [Reply::addresses([SILENT_V6, PUBLIC_V4])]);
            dns.name(
                "b.example",
                [Reply::addresses([SILENT_V4, SILENT_V6, PUBLIC_V4])],
            );
            dns.name("c.example", [Reply::addresses([OTHER_V4, PUBLIC_V4])]);
            let engine = public_engine(dns.addr(), &[]);
            for host in ["a.example", "b.example", "c.example"] {
                let result = run(&engine, &two_seconds(&format!("http://{host}/"))).await;
                assert_up(&result);
                let latency = result.latency_us.unwrap();
                let phases = result.phases;
                let sum = [
                    phases.dns_us,
                    phases.connect_us,
                    phases.request_us,
                    phases.first_byte_us,
                ];
                assert_eq!(latency, sum.into_iter().flatten().sum::<u32>());
                let silent = if host == "c.example" { 0 } else { 250_000 };
                assert!(phases.connect_us.unwrap() >= silent, "{host}: {phases:?}");
            }
            assert_eq!(alive.connections(), 3);
        },
    );
}

#[test]
fn connections_that_do_not_come_about_are_told_apart() {
    in_own_network(
        "network::connections_that_do_not_come_about_are_told_apart",
        async {
            let dns = FakeDns::start().await;
            dns.name("a.example", [Reply::addresses([NO_ROUTE, OTHER_V4])]);
            let engine = public_engine(dns.addr(), &[]);
            let _nobody = silent(SILENT_V4).await;
            let hasty = probe_hastily(&engine, &format!("http://{SILENT_V4}/")).await;
            assert_down(&hasty, ErrorKind::TimeoutConnect);
            let given_up = run(&engine, &job(&format!("http://{SILENT_V4}/"))).await;
            assert_down(&given_up, ErrorKind::ConnectTimeout);
            let nowhere = run(&engine, &job(&format!("http://{NO_ROUTE}/"))).await;
            assert_down(&nowhere, ErrorKind::ConnectUnreachable);
            let refused = run(&engine, &job(&format!("http://{PUBLIC_V4}/"))).await;
            assert_down(&refused, ErrorKind::ConnectRefused);
            // What a peer did says more than what has no route.
            let mixed = run(&engine, &job("http://a.example/")).await;
            assert_down(&mixed, ErrorKind::ConnectRefused);
            // Among equals it is the first address that counts.
            dns.name("b.example", [Reply::addresses([SILENT_V4, OTHER_V4])]);
            dns.name("c.example", [Reply::addresses([OTHER_V4, SILENT_V4])]);
            let (silent_first, refusing_first) = tokio::join!(
                probe_hastily(&engine, "http://b.example/"),
                probe_hastily(&engine, "http://c.example/")
            );
            assert_down(&silent_first, ErrorKind::TimeoutConnect);
            assert_down(&refusing_first, ErrorKind::ConnectRefused);
        },
    );
}

#[test]
fn ipv6_is_probed_by_literal_and_by_name_over_http_and_https() {
    in_own_network(
        "network::ipv6_is_probed_by_literal_and_by_name_over_http_and_https",
        async {
            let dns = FakeDns::start().await;
            dns.name("six.example", [Reply::addresses([PUBLIC_V6])]);
            let authority = Authority::new();
            let engine = public_engine(dns.addr(), std::slice::from_ref(&authority.root));
            let plain = answering(&format!("[{PUBLIC_V6}]:80"), OK).await;
            let leaf = Leaf {
                names: vec![PUBLIC_V6, "six.example"],
                ..Leaf::default()
            };
            let addr: SocketAddr = format!("[{PUBLIC_V6}]:443").parse().unwrap();
            let listener = TcpListener::bind(addr).await.unwrap();
            let secure = Target::tls_on(listener, authority.server(&leaf), OK);
            for scheme in ["http", "https"] {
                for host in [&format!("[{PUBLIC_V6}]"), "six.example"] {
                    assert_up(&run(&engine, &job(&format!("{scheme}://{host}/"))).await);
                }
            }
            assert_eq!((plain.connections(), secure.connections()), (2, 2));
        },
    );
}
