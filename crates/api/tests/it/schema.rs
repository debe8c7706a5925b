//! As much of JSON Schema as our document uses.

use serde_json::{Map, Value};

/// Everything in `value` that is not as `schema` says, each with its place. Undocumented fields are wrong too.
pub(crate) fn complaints(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    if let (Some(object), Some(known)) = (value.as_object(), fields(document, schema)) {
        for name in object.keys().filter(|name| !known.contains_key(*name)) {
            found.push(format!("{name} is not documented"));
        }
    }
    found
}

/// The properties of an object's schema, those of all its parts.
pub(crate) fn fields(document: &Value, schema: &Value) -> Option<Map<String, Value>> {
    let schema = resolved(document, schema);
    let mut all = Map::new();
    if let Some(own) = schema["properties"].as_object() {
        all.extend(own.clone());
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        all.extend(fields(document, part).unwrap_or_default());
    }
    (!all.is_empty()).then_some(all)
}

pub(crate) fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = resolved(document, schema);
    let mut wrong = |what: String| found.push(format!("{at}: {what}: {value}"));
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind, value)) {
        return wrong(format!("is not {kinds:?}"));
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|known| !known.contains(value))
    {
        wrong("is not one of the list".to_owned());
    }
    if let Some(number) = value.as_f64() {
        let beyond = schema["minimum"]
            .as_f64()
            .is_some_and(|least| number < least)
            || schema["maximum"].as_f64().is_some_and(|most| number > most);
        if beyond {
            wrong("is out of range".to_owned());
        }
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        let is_ours =
            text.len() == 24 && text.ends_with('Z') && text.parse::<models::Time>().is_ok();
        if !is_ours {
            wrong("is not a time".to_owned());
        }
    }
    if let (Some("uuid"), Some(text)) = (schema["format"].as_str(), value.as_str())
        && text.parse::<uuid::Uuid>().is_err()
    {
        wrong("is not a UUID".to_owned());
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(document, part, value, at, found);
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        let fitting = parts.iter().filter(|part| {
            let mut wrong = Vec::new();
            check(document, part, value, at, &mut wrong);
            wrong.is_empty()
        });
        if fitting.count() != 1 {
            found.push(format!("{at}: fits not exactly one form: {value}"));
        }
    }
    if let Value::Array(items) = value {
        for (index, item) in items.iter().enumerate() {
            closed(
                document,
                &schema["items"],
                item,
                &format!("{at}[{index}]"),
                found,
            );
        }
    }
    if let Value::Object(object) = value {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        let properties = schema["properties"].as_object();
        for (name, property) in properties.into_iter().flatten() {
            if let Some(value) = object.get(name) {
                closed(document, property, value, &format!("{at}.{name}"), found);
            }
        }
    }
}

fn closed(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    check(document, schema, value, at, found);
    if let (Some(object), Some(known)) = (value.as_object(), fields(document, schema)) {
        for name in object.keys().filter(|name| !known.contains_key(*name)) {
            found.push(format!("{at}.{name} is not documented"));
        }
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}
