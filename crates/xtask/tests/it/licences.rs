//! Every dependency is under a licence that lets us ship it as we do.

use crate::graph::Graph;

/// SPDX names. An exception (`WITH …`) only ever adds a permission.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_dependency_is_under_an_allowed_licence() {
    let graph = Graph::load();
    let refused: Vec<_> = graph
        .packages
        .values()
        .filter(|package| !is_allowed(&package.licence))
        .map(|package| format!("{}: {}", package.name, package.licence))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn one_side_of_an_or_is_enough_and_both_sides_of_an_and_are_needed() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
        "ISC AND (Apache-2.0 OR GPL-3.0)",
        "(GPL-2.0 AND MIT) OR (ISC AND Zlib)",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "none",
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT AND (GPL-3.0 OR MPL-2.0)",
        "(MIT",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words: Vec<_> = spaced.split_whitespace().rev().collect();
    either(&mut words) == Some(true) && words.is_empty()
}

/// `a OR b …`; the words stand in reverse, the next one last.
fn either(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = both(words)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        let other = both(words)?;
        allowed = allowed || other;
    }
    Some(allowed)
}

/// `a AND b …`, which binds tighter.
fn both(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = one(words)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        let other = one(words)?;
        allowed = allowed && other;
    }
    Some(allowed)
}

fn one(words: &mut Vec<&str>) -> Option<bool> {
    let word = words.pop()?;
    if word == "(" {
        let allowed = either(words)?;
        return (words.pop()? == ")").then_some(allowed);
    }
    if words.pop_if(|word| *word == "WITH").is_some() {
        words.pop()?;
    }
    Some(ALLOWED.contains(&word))
}
