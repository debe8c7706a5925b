//! Everything that a server can answer: HTTP/1 and HTTP/2, in pieces, late, cut short, or without end.

use models::probe::{ErrorKind, Outcome, ProbeResult};
use url::{Position, Url};

use super::promises;
use super::run::{Part, Run, USER_AGENT, run};
use super::wire::{Log, Manner, connections};
use crate::exchange::Protocol;

/// Lines of a request: its first, Host, Connection, User-Agent, Accept, Accept-Encoding, and the blank one.
const REQUEST_LINES: usize = 7;

/// Probes a service whose servers answer what `input` says (see `wire.rs`), redirects included.
///
/// # Panics
/// Where a promise is broken.
pub fn answer(input: &[u8]) {
    drop(verdict(input));
}

/// The same, with what came of it; `None` where the input is too short.
pub(super) fn verdict(input: &[u8]) -> Option<ProbeResult> {
    use ErrorKind as Kind;
    let (manner, said) = Manner::of(input)?;
    let protocol = if manner.is_http2 {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    let said = connections(said);
    let run = run(manner, Part::FromHttp(protocol), &said);
    promises::assert_kept(&run);
    let kind = run.result.error.as_ref().map(|error| error.kind);
    assert!(
        matches!(
            kind,
            None | Some(
                Kind::HttpProtocol
                    | Kind::HeadersTooLarge
                    | Kind::BodyIncomplete
                    | Kind::ConnectReset
                    | Kind::StatusMismatch
                    | Kind::TimeoutFirstByte
                    | Kind::TimeoutBody
                    | Kind::RedirectBlocked
                    | Kind::RedirectInvalid
                    | Kind::TooManyRedirects
            )
        ),
        "{kind:?} is nothing that an answer can be"
    );
    assert_eq!(run.result.certificate, None);
    if protocol == Protocol::Http1 {
        assert_eq!(usize::from(run.result.hops), run.logs.len());
        for (log, url) in run.logs.iter().zip(&run.urls) {
            assert_one_request(log, url);
        }
        let last = said.get(run.logs.len() - 1).or(said.last());
        let stream = manner.stream(last.copied().unwrap_or_default());
        assert_up_for_a_reason(&run, &stream);
    }
    Some(run.result)
}

/// No redirect makes the probe say more than one plain request.
fn assert_one_request(log: &Log, url: &Url) {
    let Ok(heard) = std::str::from_utf8(&log.heard) else {
        unreachable!("{url} was not asked for in text");
    };
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    assert!(heard.split("\r\n").all(|line| line.chars().all(is_plain)));
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let first = format!("GET {path} HTTP/1.1\r\n");
    let seen = heard.len().min(first.len());
    assert_eq!(heard.get(..seen), first.get(..seen));
    let lines = heard.matches("\r\n").count();
    assert!(lines <= REQUEST_LINES, "{heard}");
    if lines == REQUEST_LINES {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        assert!(heard.contains(&format!("\r\nhost: {host}\r\n")), "{heard}");
        assert!(heard.contains(&format!("\r\nuser-agent: {USER_AGENT}\r\n")));
        assert!(heard.ends_with("\r\n\r\n"), "{heard}");
        assert_eq!(log.heard_bytes, heard.len(), "and nothing after it");
    }
}

/// Up only where the answer says so, in lines as they must be. Asked of the bytes, not of what a parser made of them.
fn assert_up_for_a_reason(run: &Run, stream: &[u8]) {
    if run.result.outcome != Outcome::Up {
        return;
    }
    let contains = |what: &str| {
        let mut windows = stream.windows(what.len());
        windows.any(|at| at == what.as_bytes())
    };
    let expected = run.job.expected_status;
    let statuses = [
        format!("HTTP/1.1 {expected}"),
        format!("HTTP/1.0 {expected}"),
    ];
    assert!(statuses.iter().any(|status| contains(status)));
    let head = final_head(stream);
    let is_bare = |pair: &[u8]| matches!(pair, [before, b'\n'] if *before != b'\r');
    assert!(!head.windows(2).any(is_bare), "a bare line feed was taken");
}

/// Without the blank lines and interim answers before it.
fn final_head(stream: &[u8]) -> &[u8] {
    let mut rest = stream;
    loop {
        let begins = rest.iter().position(|byte| !b"\r\n".contains(byte));
        rest = rest.get(begins.unwrap_or(0)..).unwrap_or_default();
        let ends = rest.windows(4).position(|at| at == b"\r\n\r\n");
        let (head, after) = rest.split_at(ends.unwrap_or(rest.len()));
        let is_interim = head.starts_with(b"HTTP/1.1 1") || head.starts_with(b"HTTP/1.0 1");
        if !is_interim || after.is_empty() {
            return head;
        }
        rest = after;
    }
}
