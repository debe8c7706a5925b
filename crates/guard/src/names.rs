//! Host names that are refused before any lookup. They are convenience: the address check is the defence.

/// Names of cloud metadata services, which no setting opens.
const METADATA: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Suffixes that never lead to the public internet.
const LOCAL_SUFFIXES: &[&str] = &["localhost", "local", "internal", "home.arpa", "onion"];

/// The longest name that DNS can carry, without its root dot.
const MAX_NAME_BYTES: usize = 253;
/// The longest part between two dots.
const MAX_LABEL_BYTES: usize = 63;

/// What kind of name a host is, by its spelling alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// A name that DNS on the public internet may know.
    Public,
    /// A name that only a local network knows.
    Local,
    /// A cloud metadata service.
    Metadata,
    /// Not a name that DNS can carry.
    Invalid,
}

/// Lower-cases and takes one trailing dot off.
pub(crate) fn normalise(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

/// Judges a normalised name by its spelling.
pub(crate) fn classify(name: &str) -> NameKind {
    let labels_hold = name.split('.').all(|label| {
        let has_length = (1..=MAX_LABEL_BYTES).contains(&label.len());
        // RFC 952; TLS refuses such a name too.
        has_length && !label.starts_with('-') && !label.ends_with('-')
    });
    if name.len() > MAX_NAME_BYTES || !labels_hold {
        return NameKind::Invalid;
    }
    if METADATA.contains(&name) {
        return NameKind::Metadata;
    }
    let is_local = !name.contains('.')
        || LOCAL_SUFFIXES
            .iter()
            .any(|suffix| ends_with_label(name, suffix));
    if is_local {
        NameKind::Local
    } else {
        NameKind::Public
    }
}

/// Whether `name` is `suffix` or ends with `.suffix`.
pub(crate) fn ends_with_label(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_their_last_labels() {
        let kinds = |names: &[&str]| {
            names
                .iter()
                .map(|name| classify(&normalise(name)))
                .collect::<Vec<_>>()
        };
        assert!(
            kinds(&[
                "localhost",
                "a.localhost",
                "LOCALHOST.",
                "printer.local",
                "db.internal",
                "x.home.arpa",
                "a.onion",
                "api"
            ])
            .iter()
            .all(|kind| *kind == NameKind::Local)
        );
        assert!(
            kinds(&["metadata", "METADATA.google.internal.", "instance-data"])
                .iter()
                .all(|kind| *kind == NameKind::Metadata)
        );
        assert!(
            kinds(&[
                "example.com",
                "example.com.",
                "notlocalhost.com",
                "mylocal.de",
                "internal.example.org"
            ])
            .iter()
            .all(|kind| *kind == NameKind::Public)
        );
        let long_label = format!("{}.com", "a".repeat(64));
        let long_name = format!("{}com", "abcdefgh.".repeat(30));
        assert!(
            kinds(&[
                "",
                ".",
                "a..b",
                "example.com..",
                "-a.com",
                "a-.com",
                "a.-",
                &long_label,
                &long_name
            ])
            .iter()
            .all(|kind| *kind == NameKind::Invalid)
        );
    }
}
