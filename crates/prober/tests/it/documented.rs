//! docs/verdicts.md and the code name the same kinds.

use std::collections::BTreeSet;

use models::probe::ErrorKind;

#[test]
fn every_kind_has_its_entry_with_what_to_do_under_its_class_and_no_other_has_one() {
    let text = include_str!("../../../../docs/verdicts.md");
    let mut class = "";
    let mut entries = BTreeSet::new();
    for section in text.split("\n#").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap();
        if let Some(name) = heading.strip_prefix("# ") {
            class = name;
        }
        let kind = heading.strip_prefix("## `");
        if let Some(kind) = kind.and_then(|kind| kind.strip_suffix('`')) {
            let kind = ErrorKind::from_name(kind).unwrap_or_else(|| panic!("{kind} is no kind"));
            assert_eq!(kind.class().as_str(), class, "{kind:?}");
            let (cause, to_do) = body.split_once("\n\nTo do: ").unwrap_or_default();
            assert!(cause.trim().len() > 40, "{kind:?} says too little");
            assert!(to_do.trim().len() > 10, "{kind:?} leaves its reader alone");
            assert!(entries.insert(kind.as_str()), "{kind:?} twice");
        }
    }
    let kinds: BTreeSet<&str> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(entries, kinds);
}
