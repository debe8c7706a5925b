//! One operation: what is particular about it is said, what all have in common is added.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::parts;
use crate::auth::api_key;
use crate::problems::{self, Kind};
use crate::routes::PREFIX;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody.
    Public,
    /// Whoever shows an access token.
    Account,
    /// An admin.
    Admin,
}

/// One method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    /// Stands under `/api/v1`.
    in_contract: bool,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    about: &'static str,
    access: Access,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<(u16, Value)>,
    problems: Vec<&'static Kind>,
    schemas: Map<String, Value>,
}

impl Operation {
    /// `route` as in `routes.rs`: `("get", "/services")`. `id` names it in generated clients.
    pub(super) fn new(
        route: (&'static str, &'static str),
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let (method, path) = route;
        let operation = Self {
            method,
            path,
            in_contract: true,
            id,
            tag,
            summary,
            about: "",
            access: Access::Account,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: vec![&problems::INTERNAL],
            schemas: Map::new(),
        };
        if path.contains("{id}") {
            operation.path_id()
        } else {
            operation
        }
    }

    /// Where it is, whole.
    pub(super) fn path(&self) -> String {
        let prefix = if self.in_contract { PREFIX } else { "" };
        format!("{prefix}{}", self.path)
    }

    /// In lower case.
    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    /// More than the summary says.
    pub(super) fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Anybody may call it.
    pub(super) fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Admins alone may call it.
    pub(super) fn for_admins(mut self) -> Self {
        self.access = Access::Admin;
        self.problem(&problems::ADMINS_ONLY)
    }

    /// Stands beside the contract, not under its prefix.
    pub(super) fn at_root(mut self) -> Self {
        self.in_contract = false;
        self
    }

    fn path_id(mut self) -> Self {
        self.parameters.push(json!({
            "name": "id", "in": "path", "required": true,
            "description": "The resource's id. One that is malformed, unknown or somebody else's is a 404.",
            "schema": {"type": "string", "format": "uuid"},
        }));
        self.problem(&problems::NOT_FOUND)
    }

    /// A field of the query.
    pub(super) fn query(mut self, name: &'static str, about: &'static str, schema: &Value) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "required": false, "description": about, "schema": schema,
        }));
        self.reads_query()
    }

    /// `limit` and `cursor`.
    pub(super) fn paged(mut self) -> Self {
        for name in ["limit", "cursor"] {
            self.parameters
                .push(json!({"$ref": format!("#/components/parameters/{name}")}));
        }
        self.reads_query()
    }

    /// It may be told that its query is wrong.
    pub(super) fn reads_query(self) -> Self {
        self.problem(&problems::MALFORMED)
            .problem(&problems::VALIDATION_FAILED)
    }

    /// A part of the path other than the id.
    pub(super) fn part(mut self, name: &'static str, about: &'static str, schema: &Value) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": about, "schema": schema,
        }));
        self.problem(&problems::NOT_FOUND)
    }

    /// A header of the request, by its name in `parts.rs`.
    pub(super) fn header(mut self, name: &'static str) -> Self {
        let reference = format!("#/components/parameters/{name}");
        self.parameters.push(json!({"$ref": reference}));
        self
    }

    /// `If-Match`.
    pub(super) fn conditional(self) -> Self {
        self.header("If-Match")
            .problem(&problems::MALFORMED)
            .problem(&problems::PRECONDITION_FAILED)
    }

    /// A JSON body: a schema of `bodies.rs` by its name.
    pub(super) fn body(mut self, schema: &'static str, example: &Value) -> Self {
        self.body = Some(json!({
            "required": true,
            "content": {"application/json": {
                "schema": {"$ref": format!("#/components/schemas/{schema}")},
                "example": example,
            }},
        }));
        self.problem(&problems::MALFORMED)
            .problem(&problems::TOO_LARGE)
            .problem(&problems::UNSUPPORTED_MEDIA_TYPE)
            .problem(&problems::VALIDATION_FAILED)
    }

    /// It needs no body, and takes one only if there is nothing in it.
    pub(super) fn without_fields(self) -> Self {
        self.problem(&problems::TOO_LARGE)
            .problem(&problems::UNSUPPORTED_MEDIA_TYPE)
    }

    /// A success with a JSON body.
    pub(super) fn answer<T: ToSchema>(
        self,
        status: StatusCode,
        about: &str,
        example: &Value,
    ) -> Self {
        self.answer_with::<T>(status, about, example, &[])
    }

    /// The same with headers of its own, by their names in `parts.rs`.
    pub(super) fn answer_with<T: ToSchema>(
        mut self,
        status: StatusCode,
        about: &str,
        example: &Value,
        headers: &[&str],
    ) -> Self {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        self.schemas.extend(schemas.into_iter().map(described));
        let content = json!({"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{}", T::name())},
            "example": example,
        }});
        self.add(status, about, Some(content), headers)
    }

    /// A success of another media type, or without a body.
    pub(super) fn plain(self, status: StatusCode, about: &str, media: Option<&str>) -> Self {
        self.plain_with(status, about, media, &[])
    }

    /// The same with headers of its own.
    pub(super) fn plain_with(
        self,
        status: StatusCode,
        about: &str,
        media: Option<&str>,
        headers: &[&str],
    ) -> Self {
        let kind = match media {
            Some("application/json") => "object",
            _ => "string",
        };
        let content = media.map(|media| json!({media: {"schema": {"type": kind}}}));
        self.add(status, about, content, headers)
    }

    fn opens_to_keys(&self) -> bool {
        self.access == Access::Account && api_key::is_open(self.path)
    }

    /// A tenant's requests are counted, and those of anybody to account routes.
    fn is_limited(&self) -> bool {
        self.access != Access::Public || (self.method != "get" && self.path.starts_with("/auth/"))
    }

    fn add(
        mut self,
        status: StatusCode,
        about: &str,
        content: Option<Value>,
        headers: &[&str],
    ) -> Self {
        let limits: &[&str] = if self.is_limited() {
            &parts::LIMITS
        } else {
            &[]
        };
        let headers: Map<String, Value> = headers
            .iter()
            .chain(&["X-Request-Id"])
            .chain(limits)
            .map(|name| ((*name).to_owned(), parts::header_ref(name)))
            .collect();
        let mut answer = json!({"description": about, "headers": headers});
        if let (Some(content), Some(answer)) = (content, answer.as_object_mut()) {
            answer.insert("content".to_owned(), content);
        }
        self.answers.push((status.as_u16(), answer));
        self
    }

    /// What can be done with the `id` of the last answer: operations by their names.
    pub(super) fn leads_to(mut self, operations: &[&str]) -> Self {
        let link = |name: &&str| {
            let link = json!({"operationId": name, "parameters": {"id": "$response.body#/id"}});
            ((*name).to_owned(), link)
        };
        let links: Map<String, Value> = operations.iter().map(link).collect();
        let last = self.answers.last_mut();
        if let Some(answer) = last.and_then(|(_, answer)| answer.as_object_mut()) {
            answer.insert("links".to_owned(), Value::Object(links));
        }
        self
    }

    /// A way in which it can fail, beyond those that all have.
    pub(super) fn problem(mut self, kind: &'static Kind) -> Self {
        if !self.problems.contains(&kind) {
            self.problems.push(kind);
        }
        self
    }

    /// It asks the database.
    pub(super) fn stored(self) -> Self {
        self.problem(&problems::UNAVAILABLE)
    }

    /// The schemas that it refers to.
    pub(super) fn schemas(&self) -> Map<String, Value> {
        self.schemas.clone()
    }

    /// The operation object.
    pub(super) fn to_json(&self) -> Value {
        let mut kinds = self.problems.clone();
        if self.access != Access::Public {
            kinds.push(&problems::UNAUTHORIZED);
            kinds.push(&problems::EMAIL_NOT_VERIFIED);
            match (self.opens_to_keys(), self.method) {
                (true, "get") => {}
                (true, _) => kinds.push(&problems::INSUFFICIENT_SCOPE),
                (false, _) => kinds.push(&problems::SESSION_REQUIRED),
            }
            // Unknown query fields are refused everywhere.
            for kind in [&problems::MALFORMED, &problems::VALIDATION_FAILED] {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        if self.is_limited() && !kinds.contains(&&problems::TOO_MANY_REQUESTS) {
            kinds.push(&problems::TOO_MANY_REQUESTS);
        }
        let mut responses: Map<String, Value> = self
            .answers
            .iter()
            .map(|(status, answer)| (status.to_string(), answer.clone()))
            .collect();
        responses.extend(failures(&kinds));
        let security = match self.access {
            Access::Public => json!([]),
            Access::Account if self.opens_to_keys() => {
                let scope = if self.method == "get" {
                    "read"
                } else {
                    "write"
                };
                json!([{"accessToken": []}, {"apiKey": [scope]}])
            }
            Access::Account | Access::Admin => json!([{"accessToken": []}]),
        };
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "security": security,
            "responses": responses,
        });
        if let Some(object) = operation.as_object_mut() {
            if !self.about.is_empty() {
                object.insert("description".to_owned(), json!(self.about));
            }
            if !self.parameters.is_empty() {
                object.insert("parameters".to_owned(), json!(self.parameters));
            }
            if let Some(body) = &self.body {
                object.insert("requestBody".to_owned(), body.clone());
            }
        }
        operation
    }
}

/// One answer a status: a reference where only one kind of problem has it.
fn failures(kinds: &[&'static Kind]) -> Map<String, Value> {
    let mut failures = Map::new();
    for kind in kinds {
        let same: Vec<&Kind> = kinds
            .iter()
            .copied()
            .filter(|other| other.status == kind.status)
            .collect();
        let answer = match same.as_slice() {
            [one] => json!({"$ref": format!("#/components/responses/{}", one.slug)}),
            many => parts::failure(many),
        };
        failures.insert(kind.status.as_u16().to_string(), answer);
    }
    failures
}

fn described((name, schema): (String, RefOr<Schema>)) -> (String, Value) {
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    require_all(&mut schema);
    (name, schema)
}

/// Our answers leave no field out: what has no value is `null`.
fn require_all(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let names: Vec<String> = properties.keys().cloned().collect();
        schema.insert("required".to_owned(), json!(names));
    }
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        parts.iter_mut().for_each(require_all);
    }
}
