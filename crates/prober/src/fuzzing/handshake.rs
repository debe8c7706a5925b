//! What a TLS client meets before it trusts anybody. A stranger's bytes can't end such a handshake well: he would need
//! the key of a certificate for the name.

use models::probe::{ErrorClass, ErrorKind, ProbeResult};

use super::promises;
use super::run::{Part, run};
use super::wire::Manner;

/// Shakes hands with a server that sends what `input` says (see `wire.rs`).
///
/// # Panics
/// Where a promise is broken.
pub fn handshake(input: &[u8]) {
    drop(verdict(input));
}

/// The same, with what came of it; `None` where the input is too short.
pub(super) fn verdict(input: &[u8]) -> Option<ProbeResult> {
    let (manner, said) = Manner::of(input)?;
    let run = run(manner, Part::FromTls, &[said]);
    promises::assert_kept(&run);
    let result = &run.result;
    let Some(kind) = result.error.as_ref().map(|error| error.kind) else {
        unreachable!("trusted nobody's key: {result:?}");
    };
    let is_tls = kind.class() == ErrorClass::Tls || kind == ErrorKind::TimeoutTls;
    assert!(is_tls, "{result:?}");
    assert_eq!(
        (result.hops, result.status_code),
        (0, None),
        "nothing is asked"
    );
    let facts = result.certificate.as_ref();
    if let Some(facts) = facts {
        promises::assert_bounded(facts);
    }
    if kind.is_certificate() {
        let first = facts.and_then(|facts| facts.errors.first());
        assert_eq!(first, Some(&kind), "{result:?}");
    }
    Some(run.result)
}
