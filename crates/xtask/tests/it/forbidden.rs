//! Crates that may not come back through anybody's default features.

use std::collections::BTreeSet;

use crate::graph::cargo;

/// Each with the reason.
const FORBIDDEN: [(&str, &str); 5] = [
    ("ring", "one TLS provider, aws-lc-rs, is enough"),
    (
        "openssl-sys",
        "TLS is rustls; nothing links a system library",
    ),
    ("native-tls", "TLS is rustls"),
    ("pq-sys", "nothing links libpq"),
    (
        "reqwest",
        "it pools, follows and decompresses, and hides the phases of a request",
    ),
];

#[test]
fn nothing_is_built_from_what_we_decided_against() {
    let built = built_from();
    for (package, reason) in FORBIDDEN {
        assert!(
            !built.contains(package),
            "{package} is back ({reason}); `cargo tree --workspace -i {package}` tells through whom"
        );
    }
}

/// Names of all packages that are compiled for this platform, tests aside. `cargo tree` knows them
/// exactly; `cargo metadata` also lists what a feature would only add to if something else asked.
fn built_from() -> BTreeSet<String> {
    let text = tree(&["--offline"]).or_else(|_| tree(&[])).unwrap();
    let names: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains("tokio"), "cargo tree answered: {text}");
    names
}

fn tree(args: &[&str]) -> Result<String, String> {
    cargo(
        &[
            "tree",
            "--workspace",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ],
        args,
    )
    .map(|out| String::from_utf8_lossy(&out).into_owned())
}
