//! Redirects: each hop judged again, all under one deadline.

use models::probe::ErrorKind;

use crate::support::target::{OK, Target, read_head};
use crate::support::{assert_down, assert_up, engine, job, probe, run};
use tokio::io::AsyncWriteExt as _;

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Answers `/n` with a redirect to `/n-1`, and `/0` with 200.
async fn counting_down() -> Target {
    Target::raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let path = head.split(' ').nth(1).unwrap_or_default();
        let left: u32 = path.trim_start_matches('/').parse().unwrap_or_default();
        let answer = match left {
            0 => String::from_utf8(OK.to_vec()).unwrap(),
            left => to(&format!("/{}#part", left - 1)),
        };
        drop(stream.write_all(answer.as_bytes()).await);
    })
    .await
}

#[tokio::test]
async fn d08_a_redirect_to_a_place_that_is_not_allowed_sends_no_packet_there() {
    let canary = Target::answering(OK).await;
    let port = canary.addr.port();
    for location in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://2130706433:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://metadata.google.internal/".into(),
        "file:///etc/passwd".into(),
        "gopher://example.com/".into(),
        "http://u:p@example.com/".into(),
        "http://example.com:25/".into(),
        format!("http://example.com/{}", "a".repeat(2048)),
    ] {
        let target = Target::answering(to(&location)).await;
        let result = probe(&target, "/").await;
        let message = assert_down(&result, ErrorKind::RedirectBlocked);
        assert!(
            !message.contains("127.0.0.1") && !message.contains("::1"),
            "{message}"
        );
        assert_eq!(
            (result.hops, result.status_code),
            (1, Some(302)),
            "{location}"
        );
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn d09_ten_redirects_are_followed_and_the_eleventh_is_one_too_many() {
    let target = counting_down().await;
    let result = probe(&target, "/10").await;
    assert_up(&result);
    assert_eq!(
        (result.hops, result.status_code, target.connections()),
        (11, Some(200), 11)
    );
    let looping = Target::answering(to("/")).await;
    let result = probe(&looping, "/").await;
    assert_down(&result, ErrorKind::TooManyRedirects);
    assert_eq!((result.hops, looping.connections()), (11, 11));
}

#[tokio::test]
async fn phases_are_summed_over_hops() {
    let target = counting_down().await;
    let result = probe(&target, "/3").await;
    let phases = result.phases;
    let sum =
        phases.connect_us.unwrap() + phases.request_us.unwrap() + phases.first_byte_us.unwrap();
    assert_eq!(result.latency_us, Some(sum));
}

#[tokio::test]
async fn redirects_are_not_followed_when_told_so_or_when_one_is_expected() {
    let target = counting_down().await;
    let engine = engine(&[target.addr], &[]);
    let mut job = job(&target.url("/5"));
    job.follow_redirects = false;
    assert_down(&run(&engine, &job).await, ErrorKind::StatusMismatch);
    job.follow_redirects = true;
    job.expected_status = 302;
    assert_up(&run(&engine, &job).await);
    assert_eq!(target.connections(), 2);
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_invalid() {
    for answer in [
        "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n".to_owned(),
        to("http://"),
        to("http://a b/"),
    ] {
        let target = Target::answering(answer.clone()).await;
        let result = probe(&target, "/").await;
        assert_down(&result, ErrorKind::RedirectInvalid);
    }
}

#[tokio::test]
async fn a_failure_after_a_redirect_says_so() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let target = Target::answering(to(&format!("http://{closed}/"))).await;
    let result = run(&engine(&[target.addr, closed], &[]), &job(&target.url("/"))).await;
    let message = assert_down(&result, ErrorKind::ConnectRefused);
    assert!(message.ends_with("(after 1 redirect)"), "{message}");
    assert_eq!(
        (result.hops, result.status_code, result.latency_us),
        (1, None, None),
        "the first hop's 302 is not what was found"
    );
}
