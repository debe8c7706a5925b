//! The reference: the OpenAPI document in the order in which people read it.

use askama::Template;
use serde_json::{Map, Value};

use super::schema::{Field, Named, kind, text};
use super::text::{inline, paragraphs};

/// The whole page.
#[derive(Debug, Template)]
#[template(path = "docs.html")]
pub(super) struct Docs {
    title: String,
    version: String,
    /// HTML.
    about: String,
    schemes: Vec<Field>,
    tags: Vec<Tag>,
    schemas: Vec<Named>,
}

/// Operations that belong together.
#[derive(Debug)]
struct Tag {
    name: String,
    /// HTML.
    about: String,
    operations: Vec<Operation>,
}

/// One method of one path.
#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    /// HTML.
    about: String,
    /// Names of the ways to authenticate; empty: none is needed.
    security: Vec<String>,
    parameters: Vec<Field>,
    /// HTML: the body's schema.
    body: String,
    body_example: String,
    answers: Vec<Answer>,
}

/// What it answers with one status.
#[derive(Debug)]
struct Answer {
    status: String,
    /// HTML.
    about: String,
    /// HTML.
    schema: String,
    headers: Vec<String>,
    /// Slugs of the problems that it can be.
    problems: Vec<String>,
    example: String,
}

impl Docs {
    /// Reads the document.
    pub(super) fn of(document: &Value) -> Self {
        let part = |pointer: &str| document.pointer(pointer);
        let tags = part("/tags").and_then(Value::as_array);
        let schemas = part("/components/schemas").and_then(Value::as_object);
        let info = part("/info").cloned().unwrap_or_default();
        Self {
            title: text(&info, "title").to_owned(),
            version: text(&info, "version").to_owned(),
            about: paragraphs(text(&info, "description")),
            schemes: schemes(document),
            tags: tags
                .into_iter()
                .flatten()
                .map(|tag| Tag::of(document, tag))
                .collect(),
            schemas: schemas
                .into_iter()
                .flatten()
                .map(|(name, schema)| Named::of(name, schema))
                .collect(),
        }
    }
}

fn schemes(document: &Value) -> Vec<Field> {
    let all = document
        .pointer("/components/securitySchemes")
        .and_then(Value::as_object);
    let field = |(name, scheme): (&String, &Value)| Field {
        name: name.clone(),
        required: false,
        kind: "<code>Authorization: Bearer …</code>".to_owned(),
        about: inline(text(scheme, "description")),
    };
    all.into_iter().flatten().map(field).collect()
}

impl Tag {
    fn of(document: &Value, tag: &Value) -> Self {
        let name = text(tag, "name");
        let paths = document.get("paths").and_then(Value::as_object);
        let mut operations = Vec::new();
        for (path, item) in paths.into_iter().flatten() {
            for method in ["get", "post", "put", "patch", "delete"] {
                let operation = item.get(method);
                let ours = operation.filter(|operation| {
                    operation.pointer("/tags/0").and_then(Value::as_str) == Some(name)
                });
                operations.extend(ours.map(|one| Operation::of(document, method, path, one)));
            }
        }
        Self {
            name: name.to_owned(),
            about: inline(text(tag, "description")),
            operations,
        }
    }
}

impl Operation {
    fn of(document: &Value, method: &str, path: &str, operation: &Value) -> Self {
        let security = operation.get("security").and_then(Value::as_array);
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let content = operation.pointer("/requestBody/content/application~1json");
        let answers = operation.get("responses").and_then(Value::as_object);
        Self {
            id: text(operation, "operationId").to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(operation, "summary").to_owned(),
            about: paragraphs(text(operation, "description")),
            security: security.into_iter().flatten().filter_map(scheme).collect(),
            parameters: parameters
                .into_iter()
                .flatten()
                .map(|parameter| field(resolved(document, parameter)))
                .collect(),
            body: content
                .and_then(|content| content.get("schema"))
                .map(kind)
                .unwrap_or_default(),
            body_example: content.map(example).unwrap_or_default(),
            answers: answers
                .into_iter()
                .flatten()
                .map(|(status, answer)| Answer::of(status, resolved(document, answer)))
                .collect(),
        }
    }
}

/// How one may authenticate: a scheme, and the scope that it needs.
fn scheme(requirement: &Value) -> Option<String> {
    let (name, scopes) = requirement.as_object()?.iter().next()?;
    let scopes: Vec<&str> = scopes
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if scopes.is_empty() {
        return Some(name.clone());
    }
    Some(format!("{name} ({})", scopes.join(", ")))
}

fn field(parameter: &Value) -> Field {
    let place = text(parameter, "in");
    Field {
        name: text(parameter, "name").to_owned(),
        required: parameter.get("required") == Some(&Value::Bool(true)),
        kind: format!(
            "{place}: {}",
            parameter.get("schema").map(kind).unwrap_or_default()
        ),
        about: inline(text(parameter, "description")),
    }
}

impl Answer {
    fn of(status: &str, answer: &Value) -> Self {
        let none = Map::new();
        let object = |name: &str| answer.get(name).and_then(Value::as_object);
        let headers = object("headers").unwrap_or(&none);
        let content = object("content").unwrap_or(&none);
        let (media, body) = content.iter().next().unzip();
        let is_problem = media.is_some_and(|media| media.ends_with("problem+json"));
        let examples = body.and_then(|body| body.get("examples")?.as_object());
        let schema = match (media, is_problem) {
            (Some(_), true) => "<a href=\"#schema-Problem\">Problem</a>".to_owned(),
            (Some(media), false) if media.ends_with("json") => body
                .and_then(|body| body.get("schema"))
                .map(kind)
                .unwrap_or_default(),
            (Some(media), false) => media.clone(),
            (None, _) => "no body".to_owned(),
        };
        Self {
            status: status.to_owned(),
            about: if is_problem {
                String::new()
            } else {
                inline(text(answer, "description"))
            },
            schema,
            headers: headers.keys().cloned().collect(),
            problems: examples
                .into_iter()
                .flatten()
                .map(|(slug, _)| slug.clone())
                .collect(),
            example: body.map(example).unwrap_or_default(),
        }
    }
}

fn example(content: &Value) -> String {
    content
        .get("example")
        .map(|example| format!("{example:#}"))
        .unwrap_or_default()
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    reference
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?))
        .unwrap_or(value)
}
