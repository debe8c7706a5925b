//! The document against the routes, and against itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{TEXT, document};
use crate::routes::{API, Entry, PREFIX, ROOT};

fn routes() -> BTreeSet<(String, String)> {
    let of = |prefix: &str, entries: &[Entry]| {
        let mut routes = Vec::new();
        for entry in entries {
            for method in entry.methods {
                routes.push((format!("{prefix}{}", entry.path), (*method).to_owned()));
            }
        }
        routes
    };
    let mut all = of(PREFIX, API);
    all.extend(of("", ROOT));
    all.into_iter().collect()
}

#[test]
fn every_route_is_documented_and_every_documented_route_exists() {
    let document = document();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods
                .map(|method| (path.clone(), method.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let routes = routes();
    let missing: Vec<_> = routes.difference(&documented).collect();
    let surplus: Vec<_> = documented.difference(&routes).collect();
    assert!(
        missing.is_empty(),
        "without documentation (openapi/<tag>.rs): {missing:?}"
    );
    assert!(
        surplus.is_empty(),
        "documented, and not in routes.rs: {surplus:?}"
    );
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, "$ref", &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len());
    // links name operations too
    let mut named = Vec::new();
    collect(&document["paths"], "operationId", &mut named);
    assert!(named.len() > ids.len());
    assert!(named.iter().all(|name| unique.contains(name)), "{named:?}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask openapi` asks this test to write what it else compares"
)]
fn the_document_in_docs_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var("PULSEMON_WRITE_OPENAPI").is_ok() {
        std::fs::write(path, TEXT.as_str()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == *TEXT,
        "docs/openapi.json is not the document that the code makes: run `cargo xtask openapi`"
    );
}

fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key).and_then(Value::as_str));
            object.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}
