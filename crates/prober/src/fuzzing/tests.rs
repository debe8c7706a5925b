//! Every input that fuzzing kept, through the same promises, on every run of the tests.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use models::probe::ErrorKind;

/// What is kept of a target.
fn corpus(target: &str) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    kept.join(target)
}

/// Runs a target on all that is kept of it.
fn replay<T>(name: &str, target: fn(&[u8]) -> T) -> Vec<T> {
    let files = std::fs::read_dir(corpus(name)).expect(name);
    let run = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let ran = catch_unwind(|| target(&input));
        ran.unwrap_or_else(|_panic| panic!("{} (see above)", path.display()))
    };
    let ran: Vec<T> = files.map(run).collect();
    assert!(ran.len() >= 10, "{} inputs are left", ran.len());
    ran
}

#[test]
fn every_kept_redirect_leads_where_it_may_or_nowhere() {
    replay("redirect", super::redirect);
}

#[test]
fn every_kept_chain_of_certificates_has_bounded_facts_and_the_right_faults() {
    replay("certificate", super::certificate);
}

#[test]
fn every_kept_answer_ends_in_a_sound_result_and_all_verdicts_are_among_them() {
    use ErrorKind as Kind;
    let results = replay("answer", super::answer::verdict);
    let kind = |result: models::probe::ProbeResult| result.error.map(|error| error.kind);
    let kinds: BTreeSet<_> = results.into_iter().flatten().map(kind).collect();
    let all = BTreeSet::from([
        None,
        Some(Kind::HttpProtocol),
        Some(Kind::HeadersTooLarge),
        Some(Kind::BodyIncomplete),
        Some(Kind::ConnectReset),
        Some(Kind::StatusMismatch),
        Some(Kind::TimeoutFirstByte),
        Some(Kind::TimeoutBody),
        Some(Kind::RedirectBlocked),
        Some(Kind::RedirectInvalid),
        Some(Kind::TooManyRedirects),
    ]);
    assert_eq!(kinds, all);
}

#[test]
fn every_kept_handshake_ends_in_a_sound_result_within_its_limits() {
    replay("handshake", super::handshake);
}

#[test]
fn a_recorded_handshake_comes_as_far_as_its_certificate() {
    for (name, chain_length) in [("tls12-self-signed", 1), ("tls12-chain", 2)] {
        let input = std::fs::read(corpus("handshake").join(name)).unwrap();
        let result = super::handshake::verdict(&input).unwrap();
        let facts = result.certificate.expect(name);
        assert_eq!(facts.chain_length, chain_length);
        assert!(result.error.unwrap().kind.is_certificate());
    }
}
