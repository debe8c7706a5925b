//! What the sources themselves may not say.

use std::path::{Path, PathBuf};

use crate::graph::workspace;

/// Who may name `std::env`: the crate that reads it for everybody, and what never ships.
const READERS: [&str; 3] = ["crates/runtime/", "crates/xtask/", "crates/testkit/"];

/// Spelt in two pieces, so that this file does not find itself.
const ENVIRONMENT: [&str; 2] = [concat!("std::", "env"), concat!("env::", "var")];

#[test]
fn the_environment_is_read_in_one_crate() {
    let mut found = Vec::new();
    for file in sources(&workspace().join("crates")) {
        let name = file.strip_prefix(workspace()).unwrap().to_string_lossy();
        if !name.contains("/src/") || READERS.iter().any(|reader| name.starts_with(reader)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for (index, line) in production(&text).enumerate() {
            if ENVIRONMENT.iter().any(|env| line.contains(env)) {
                found.push(format!("{name}:{}: {line}", index + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn statements_take_the_time_as_an_argument() {
    let mut found = Vec::new();
    for file in sources(&workspace().join("crates/db/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (index, line) in production(&text).enumerate() {
            let line = line.to_lowercase();
            if ["now()", "current_timestamp"]
                .iter()
                .any(|call| has_call(&line, call))
            {
                found.push(format!("{}:{}: {line}", file.display(), index + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A call by its bare name: `clock.now()` and `db_now()` are other functions.
fn has_call(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == ':' || c == '`')
    })
}

/// The lines that are neither comments nor tests.
fn production(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| {
            if line.trim_start().starts_with("//") {
                ""
            } else {
                line
            }
        })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
