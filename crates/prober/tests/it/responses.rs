//! What a target answers, told apart by what was really seen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use models::probe::ErrorKind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::target::{OK, Target, read_head};
use crate::support::{HASTY_MS, assert_down, assert_up, engine, job, probe, probe_hastily, run};

#[tokio::test]
async fn a_healthy_target_is_up_and_its_phases_add_up_to_its_latency() {
    let target = Target::answering(OK).await;
    let result = probe(&target, "/").await;
    assert_up(&result);
    let phases = result.phases;
    assert_eq!((result.status_code, result.hops), (Some(200), 1));
    assert_eq!(
        (phases.dns_us, phases.tls_us),
        (None, None),
        "a literal over plain http"
    );
    let sum =
        phases.connect_us.unwrap() + phases.request_us.unwrap() + phases.first_byte_us.unwrap();
    assert_eq!(result.latency_us, Some(sum));
    assert!(phases.total_us >= sum);
}

/// The runtime's clock stands still but for timers that are waited for.
#[tokio::test(start_paused = true)]
async fn no_phase_waits_for_a_timer_of_our_own() {
    let target = Target::answering(OK).await;
    // Timers go by whole milliseconds: one that is due now fires at the next.
    tokio::time::advance(Duration::from_micros(300)).await;
    let result = probe(&target, "/").await;
    assert_up(&result);
    assert_eq!(result.latency_us, Some(0), "{:?}", result.phases);
}

#[tokio::test]
async fn the_request_asks_for_one_plain_answer_and_says_who_asks() {
    let head = Arc::new(Mutex::new(String::new()));
    let heard = head.clone();
    let target = Target::raw(move |mut stream| {
        let heard = heard.clone();
        async move {
            let head = read_head(&mut stream).await;
            *heard.lock().unwrap() = head;
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    assert_up(&probe(&target, "/a%20b?c=d|e#f").await);
    let head = head.lock().unwrap().to_lowercase();
    assert!(head.starts_with("get /a%20b?c=d|e http/1.1\r\n"), "{head}");
    for line in [
        &format!("host: {}", target.addr),
        "connection: close",
        "accept-encoding: identity",
        "user-agent: pulsemon/0.1 (+https://status.example/)",
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
    assert_eq!(head.matches("\r\n").count(), 7, "nothing else: {head}");
}

#[tokio::test]
async fn another_status_than_expected_is_said_in_a_sentence() {
    let target =
        Target::answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    let result = probe(&target, "/").await;
    let message = assert_down(&result, ErrorKind::StatusMismatch);
    assert_eq!(message, "expected 200, got 503 Service Unavailable");
    assert_eq!(result.status_code, Some(503));
    assert!(result.latency_us.is_some());
}

#[tokio::test]
async fn d18_every_odd_answer_has_its_own_reason_and_none_is_internal() {
    use ErrorKind::{BodyIncomplete, HttpProtocol, StatusMismatch};
    let cases: [(&str, ErrorKind); 18] = [
        ("hello, this is not http\r\n\r\n", HttpProtocol),
        ("<html>0.9</html>", HttpProtocol),
        ("", HttpProtocol),
        ("HTTP/1.1 200 OK\r\nContent-Le", HttpProtocol),
        ("HTTP/1.1 204 No Content\r\n\r\n", StatusMismatch),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", StatusMismatch),
        (
            "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
            StatusMismatch,
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", HttpProtocol),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            HttpProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            HttpProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            HttpProtocol,
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", HttpProtocol),
        (
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 0\n\n",
            HttpProtocol,
        ),
        (
            "\r\n\r\n\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            HttpProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
            HttpProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            HttpProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            BodyIncomplete,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            BodyIncomplete,
        ),
    ];
    for (answer, kind) in cases {
        let target = Target::answering(answer).await;
        let result = probe(&target, "/").await;
        let error = result
            .error
            .unwrap_or_else(|| panic!("{answer:?} was taken for up"));
        assert_eq!(error.kind, kind, "{answer:?}: {}", error.message);
    }
}

/// Time stands still but for timers that are waited for: had the probe waited for more, its timeout would have come.
#[tokio::test(start_paused = true)]
async fn what_is_no_http_is_known_by_its_first_words_and_not_waited_out() {
    for words in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail.example ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n",
        "hello\n",
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}\n", // an alert of TLS
    ] {
        let target = Target::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(words.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let result = probe_hastily(&engine(&[target.addr], &[]), &target.url("/")).await;
        let message = assert_down(&result, ErrorKind::HttpProtocol);
        assert_eq!(message, "the answer is not valid HTTP", "{words:?}");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_the_same_head() {
    let target = Target::raw(|mut stream| async move {
        read_head(&mut stream).await;
        stream.set_nodelay(true).unwrap();
        let answer = b"\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        for byte in answer {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_up(&probe(&target, "/").await);
}

#[tokio::test]
async fn d18_a_reset_and_a_closed_port_are_told_apart() {
    let resetting = Target::raw(|mut stream| async move {
        read_head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let result = probe(&resetting, "/").await;
    assert_down(&result, ErrorKind::ConnectReset);
    assert_eq!(
        (result.status_code, result.latency_us, result.hops),
        (None, None, 1)
    );

    let torn = Target::raw(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nConte").await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let result = probe(&torn, "/").await;
    let message = assert_down(&result, ErrorKind::HttpProtocol);
    assert!(
        message.ends_with("in the middle of its answer"),
        "{message}"
    );

    let rude = Target::raw(|stream| async move { stream.set_zero_linger().unwrap() }).await;
    let result = probe(&rude, "/").await;
    assert_down(&result, ErrorKind::ConnectReset);

    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let result = run(&engine(&[closed], &[]), &job(&format!("http://{closed}/"))).await;
    let message = assert_down(&result, ErrorKind::ConnectRefused);
    assert!(!message.contains("127.0.0.1"), "{message}");
    assert_eq!((result.hops, result.phases.first_byte_us), (0, None));
}

/// What a timeout may be off by, in microseconds (D12, D13).
pub(crate) const TIMEOUT_US: std::ops::RangeInclusive<u32> =
    HASTY_MS * 1000 - 250_000..=HASTY_MS * 1000 + 250_000;

/// The runtime's clock stands still but for timers that are waited for, so the machine's load moves nothing.
#[tokio::test(start_paused = true)]
async fn d12_silence_after_accept_is_no_first_byte_in_time() {
    let target = Target::raw(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let result = probe_hastily(&engine(&[target.addr], &[]), &target.url("/")).await;
    assert_down(&result, ErrorKind::TimeoutFirstByte);
    assert!(result.phases.connect_us.is_some() && result.phases.first_byte_us.is_some());
    let took = result.phases.total_us;
    assert!(TIMEOUT_US.contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn d13_a_slow_drip_of_headers_does_not_move_the_deadline() {
    let target = Target::raw(|mut stream| async move {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0".iter().cycle() {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let result = probe_hastily(&engine(&[target.addr], &[]), &target.url("/")).await;
    assert_down(&result, ErrorKind::TimeoutFirstByte);
    let took = result.phases.total_us;
    assert!(TIMEOUT_US.contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_in_time_is_a_timeout_of_the_body_however_it_drips() {
    for drip in [Duration::from_secs(60), Duration::from_millis(50)] {
        let target = Target::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
            stream.write_all(head).await.unwrap();
            loop {
                tokio::time::sleep(drip).await;
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
        })
        .await;
        let result = probe_hastily(&engine(&[target.addr], &[]), &target.url("/")).await;
        assert_down(&result, ErrorKind::TimeoutBody);
        assert_eq!(result.status_code, Some(200));
        let took = result.phases.total_us;
        assert!(result.latency_us.unwrap() < took);
        assert!(TIMEOUT_US.contains(&took), "{took}");
    }
}

#[tokio::test]
async fn a_destination_that_is_not_allowed_gets_no_packet_and_its_address_is_not_told() {
    let canary = Target::answering(OK).await;
    let elsewhere = "127.0.0.9:9".parse().unwrap();
    let blind = engine(&[elsewhere], &[]);
    let named = format!("http://localhost:{}/", canary.addr.port());
    for url in [
        canary.url("/"),
        named,
        "http://metadata/".into(),
        "http://169.254.169.254/".into(),
    ] {
        let result = run(&blind, &job(&url)).await;
        let message = assert_down(&result, ErrorKind::BlockedDestination);
        assert_eq!(message, "the destination is not allowed to be probed");
        assert_eq!((result.hops, result.phases.connect_us), (0, None));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_a_dns_timeout_with_its_phase() {
    let anything = "127.0.0.9:9".parse().unwrap();
    let result = probe_hastily(&engine(&[anything], &[]), "http://example.com/").await;
    assert_down(&result, ErrorKind::DnsTimeout);
    assert!(result.phases.dns_us.is_some() && result.phases.connect_us.is_none());
}
