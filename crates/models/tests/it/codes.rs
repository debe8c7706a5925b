//! Codes and ids that rows in the database depend on.

use models::id::ServiceId;
use models::probe::{ErrorKind, Outcome, ProbeKind, probe_id};

fn table<T>(all: &[T], line: impl Fn(&T) -> String) -> String {
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn error_kinds_keep_their_codes_names_and_classes() {
    let lines = table(ErrorKind::ALL, |kind| {
        format!(
            "{} {} {}",
            kind.code(),
            kind.as_str(),
            kind.class().as_str()
        )
    });
    assert_eq!(lines, include_str!("../golden/error_kinds.txt").trim_end());
    for &kind in ErrorKind::ALL {
        assert_eq!(ErrorKind::from_code(kind.code()), Some(kind));
        assert_eq!(ErrorKind::from_name(kind.as_str()), Some(kind));
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(json, format!("\"{}\"", kind.as_str()));
    }
    assert_eq!(ErrorKind::from_code(0), None);
}

#[test]
fn probe_kinds_keep_their_codes_and_names() {
    let lines = table(&ProbeKind::ALL, |kind| {
        format!("{} {}", kind.code(), kind.as_str())
    });
    assert_eq!(lines, "0 slot\n1 first\n2 manual\n3 confirm\n4 catchup");
    for kind in ProbeKind::ALL {
        assert_eq!(ProbeKind::from_code(kind.code()), Some(kind));
        assert_eq!(ProbeKind::from_name(kind.as_str()), Some(kind));
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(json, format!("\"{}\"", kind.as_str()));
    }
}

#[test]
fn outcomes_keep_their_codes_and_names() {
    let all = [Outcome::Down, Outcome::Up, Outcome::Inconclusive];
    let lines = table(&all, |outcome| {
        format!("{} {}", outcome.code(), outcome.as_str())
    });
    assert_eq!(lines, "0 down\n1 up\n2 inconclusive");
    for outcome in all {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        let json = serde_json::to_string(&outcome).unwrap();
        assert_eq!(json, format!("\"{}\"", outcome.as_str()));
    }
}

#[test]
fn the_id_of_a_probe_is_frozen_and_tells_all_its_parts_apart() {
    let service: ServiceId = "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8091".parse().unwrap();
    let at = "2026-01-01T00:00:00.123Z".parse().unwrap();
    let golden = probe_id(service, "default", ProbeKind::Slot, at, 3);
    assert_eq!(golden.to_string(), "0be9a816-364e-5f95-a51b-38f351ce9581");
    let other: ServiceId = "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8092".parse().unwrap();
    let later = "2026-01-01T00:00:00.124Z".parse().unwrap();
    for different in [
        probe_id(other, "default", ProbeKind::Slot, at, 3),
        probe_id(service, "eu", ProbeKind::Slot, at, 3),
        probe_id(service, "default", ProbeKind::First, at, 3),
        probe_id(service, "default", ProbeKind::Slot, later, 3),
        probe_id(service, "default", ProbeKind::Slot, at, 4),
    ] {
        assert_ne!(different, golden);
    }
}
