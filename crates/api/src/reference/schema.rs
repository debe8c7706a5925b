//! Schemas as people read them.

use serde_json::Value;

use super::text::{escaped, inline};

/// A field of an object, or a parameter.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    /// HTML.
    pub(super) kind: String,
    /// HTML.
    pub(super) about: String,
}

/// A component.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// HTML.
    pub(super) about: String,
    /// HTML; empty for an object.
    pub(super) kind: String,
    pub(super) fields: Vec<Field>,
}

impl Named {
    pub(super) fn of(name: &str, schema: &Value) -> Self {
        let fields = fields(schema);
        let kind = if fields.is_empty() {
            kind(schema)
        } else {
            String::new()
        };
        Self {
            name: name.to_owned(),
            about: inline(text(schema, "description")),
            kind,
            fields,
        }
    }
}

/// The fields of an object: those of what it includes first.
fn fields(schema: &Value) -> Vec<Field> {
    let parts = schema.get("allOf").and_then(Value::as_array);
    let mut all: Vec<Field> = Vec::new();
    for part in parts.into_iter().flatten() {
        match part.get("$ref").and_then(Value::as_str) {
            Some(reference) => all.push(Field {
                name: "…".to_owned(),
                required: true,
                kind: link(reference),
                about: "All fields of this.".to_owned(),
            }),
            None => all.extend(fields(part)),
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|known| known == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    let own = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| Field {
            name: name.clone(),
            required: is_required(name),
            kind: kind(property),
            about: inline(text(property, "description")),
        });
    all.extend(own);
    // What must be there is read first.
    all.sort_by_key(|field| !field.required);
    all
}

/// What a value is, in HTML.
#[must_use]
pub(super) fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return link(reference);
    }
    if let Some(forms) = schema.get("oneOf").and_then(Value::as_array) {
        let forms: Vec<String> = forms.iter().map(kind).collect();
        return forms.join(" or ");
    }
    if let Some(known) = schema.get("enum").and_then(Value::as_array) {
        let known = known.iter().filter_map(Value::as_str);
        let known: Vec<String> = known
            .map(|value| format!("<code>{}</code>", escaped(value)))
            .collect();
        return format!("one of {}{}", known.join(" "), default(schema));
    }
    let names = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name.as_str()],
        _ => vec!["anything"],
    };
    let mut words = names.join(" or ");
    if names.contains(&"array") {
        words = format!(
            "list of {}",
            schema.get("items").map(kind).unwrap_or_default()
        );
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str) {
        words.push_str(&format!(", {}", escaped(format)));
    }
    format!("{words}{}{}", bounds(schema), default(schema))
}

fn bounds(schema: &Value) -> String {
    let number = |name: &str| schema.get(name).filter(|value| value.is_number());
    let mut words = String::new();
    for (name, word) in [
        ("minimum", "at least"),
        ("exclusiveMinimum", "over"),
        ("maximum", "at most"),
        ("minLength", "length at least"),
        ("maxLength", "length at most"),
    ] {
        if let Some(bound) = number(name) {
            words.push_str(&format!(", {word} {bound}"));
        }
    }
    words
}

fn default(schema: &Value) -> String {
    schema
        .get("default")
        .map(|value| format!(", <code>{}</code> unless given", escaped(&plain(value))))
        .unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn link(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    let name = escaped(name);
    format!("<a href=\"#schema-{name}\">{name}</a>")
}

/// A text of an object; empty where there is none.
#[must_use]
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
