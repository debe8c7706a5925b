//! What holds of every result, whatever a server sent.

use models::certificate::CertificateFacts;
use models::message::MAX_MESSAGE_BYTES;
use models::probe::{ErrorClass, ErrorKind, Outcome, ProbeError, ProbeResult};

use super::run::{Run, TIMEOUT};

/// What one probe may read over all its connections.
const MOST_READ: u64 = 256 * 1024;
/// What it may write: a request for each hop, and what HTTP/2 answers to the frames that it reads.
const MOST_WRITTEN: usize = 512 * 1024;
/// Timers go by whole milliseconds.
const TIMER_STEP: std::time::Duration = std::time::Duration::from_millis(2);
/// Requests of one probe.
const MOST_HOPS: usize = 11;
/// Of a message around the one result that it carries.
const ENVELOPE_BYTES: usize = 100;

/// The promises of every probe.
pub(super) fn assert_kept(run: &Run) {
    let result = &run.result;
    let kind = result.error.as_ref().map(|error| error.kind);
    let outcome = match kind {
        None => Outcome::Up,
        Some(_) => Outcome::Down,
    };
    // Also never inconclusive: what a server sends is no failure of ours.
    assert_eq!(result.outcome, outcome, "{result:?}");
    if let Some(error) = &result.error {
        assert_tellable(error);
    }
    assert!(run.took <= TIMEOUT + TIMER_STEP, "{:?}", run.took);
    if kind.map(ErrorKind::class) == Some(ErrorClass::Timeout) {
        assert!(run.took >= TIMEOUT, "{:?}: {result:?}", run.took);
    }
    let told: usize = run.logs.iter().map(|log| log.told_bytes).sum();
    assert!(run.read <= MOST_READ, "{} bytes were read", run.read);
    assert_eq!(u64::try_from(told).ok(), Some(run.read), "all is counted");
    let heard: usize = run.logs.iter().map(|log| log.heard_bytes).sum();
    assert!(heard <= MOST_WRITTEN, "{heard} bytes were written");
    assert!(run.logs.len() <= MOST_HOPS);
    assert_figures(run);
    assert_travels(result);
}

/// Status, latency and hops say the same as the verdict.
fn assert_figures(run: &Run) {
    let result = &run.result;
    let expected = run.job.expected_status;
    let kind = result.error.as_ref().map(|error| error.kind);
    if let Some(status) = result.status_code {
        assert!((100..1000).contains(&status), "{result:?}");
    }
    match kind {
        None | Some(ErrorKind::BodyIncomplete | ErrorKind::TimeoutBody) => {
            assert_eq!(result.status_code, Some(expected), "{result:?}");
        }
        Some(ErrorKind::StatusMismatch) => {
            assert!(result.status_code.is_some() && result.status_code != Some(expected));
        }
        Some(kind) if kind.class() == ErrorClass::Redirect => {
            let said = result.error.as_ref().map(|error| error.message.as_str());
            // In our words, which name no destination.
            assert!(said.is_some_and(|said| said.starts_with("the server redirects ")));
            let status = result.status_code.unwrap_or_default();
            assert!((300..400).contains(&status), "{result:?}");
        }
        Some(ErrorKind::TimeoutFirstByte | ErrorKind::ConnectReset) => {
            assert_eq!(result.status_code, None, "{result:?}");
        }
        Some(_) => {}
    }
    assert_eq!(result.latency_us.is_some(), result.status_code.is_some());
    let total = result.phases.total_us;
    assert!(result.latency_us.is_none_or(|latency| latency <= total));
    assert!(usize::from(result.hops) <= run.logs.len());
}

/// A result reads back as it was, and fits into a message with room to spare.
fn assert_travels(result: &ProbeResult) {
    let Ok(json) = serde_json::to_vec(result) else {
        unreachable!("a result can't be written: {result:?}");
    };
    assert!(json.len() + ENVELOPE_BYTES <= MAX_MESSAGE_BYTES);
    let back = serde_json::from_slice::<ProbeResult>(&json);
    assert_eq!(back.ok().as_ref(), Some(result));
}

/// A sentence is one bounded line that says something, and nothing in it moves what stands around it.
pub(super) fn assert_tellable(error: &ProbeError) {
    let said = &error.message;
    assert!(said.len() <= ProbeError::MAX_MESSAGE, "{said:?}");
    assert!(said.chars().any(char::is_alphabetic), "{said:?}");
    assert_plain(said);
}

/// The facts of a certificate are bounded and plain text.
pub(super) fn assert_bounded(facts: &CertificateFacts) {
    const MOST_CHARS: usize = 256;
    let digest = &facts.fingerprint_sha256;
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(digest.len() == 64 && digest.chars().all(is_hex), "{digest}");
    assert!(facts.sans.len() <= CertificateFacts::MAX_SANS);
    let names = [&facts.issuer, &facts.subject, &facts.serial];
    for text in names.into_iter().flatten().chain(&facts.sans) {
        assert!(text.chars().count() <= MOST_CHARS, "{text:?}");
        assert_plain(text);
    }
    assert!(facts.errors.iter().all(|kind| kind.is_certificate()));
    let mut once = facts.errors.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), facts.errors.len(), "{:?}", facts.errors);
}

/// No control characters, no line ends, nothing that turns the direction of text.
fn assert_plain(text: &str) {
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(moves), "{text:?}");
}
