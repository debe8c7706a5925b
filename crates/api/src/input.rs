//! Reads a request's fields one by one and remembers everything that was wrong.
//!
//! A body or query is turned into [`Fields`]. Each read names a field and a reader (a function from [`Node`] to a
//! value or a sentence); [`Fields::finish`] fails with every wrong, missing, repeated and unknown field at once.
//!
//! ```text
//! let name = fields.required("name", |node| Ok(ServiceName::parse(input::text(node)?)?));
//! let active = fields.optional("is_active", input::boolean).or(true);
//! fields.finish()?;
//! ```

mod body;
mod json;

pub(crate) use body::{Body, MaybeBody, NoFields, Submission};
pub(crate) use json::Node;

use std::ops::RangeInclusive;

use serde_json::Number;

use crate::error::{FieldError, Problem};

/// The fields of one request and what was wrong with them so far.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    entries: Vec<(String, Node)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
    /// At least one error is that a URL may not be probed.
    forbidden_url: bool,
}

/// What a field that may be left out turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given<T> {
    /// Left out.
    Absent,
    /// There and wrong; noted.
    Wrong,
    /// There and right.
    Value(T),
}

impl<T> Given<T> {
    /// The value, the default where it was left out, `None` where it was wrong.
    pub(crate) fn or(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Wrong => None,
            Self::Value(value) => Some(value),
        }
    }

    /// The value, if there was a right one.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// A sentence that follows the field's name.
pub(crate) type Complaint = String;

impl Fields {
    /// From what was read.
    #[must_use]
    pub(crate) fn new(entries: Vec<(String, Node)>) -> Self {
        Self {
            entries,
            known: Vec::new(),
            errors: Vec::new(),
            forbidden_url: false,
        }
    }

    /// From a query string; every value is text.
    ///
    /// # Errors
    /// 400 when it is not valid percent-encoded UTF-8.
    pub(crate) fn from_query(query: &str) -> Result<Self, Problem> {
        let mut entries = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            entries.push((decode(name)?, Node::Text(decode(value)?)));
        }
        Ok(Self::new(entries))
    }

    /// Refuses all that stands in the query of a request whose fields come in its body.
    ///
    /// # Errors
    /// As [`Self::from_query`].
    pub(crate) fn refuse_query(&mut self, query: &str) -> Result<(), Problem> {
        for (name, _) in Self::from_query(query)?.entries {
            self.refuse(shortened(&name), "is not a known query field");
        }
        Ok(())
    }

    /// A field that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<T> {
        match self.optional(name, read) {
            Given::Value(value) => Some(value),
            Given::Wrong => None,
            Given::Absent => {
                self.refuse(name, "is required");
                None
            }
        }
    }

    /// A field that may be left out.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Given<T> {
        self.known.push(name);
        let mut given = self.entries.iter().filter(|(entry, _)| entry == name);
        let Some((_, node)) = given.next() else {
            return Given::Absent;
        };
        let outcome = if given.next().is_some() {
            Err("is given more than once".to_owned())
        } else {
            read(node)
        };
        match outcome {
            Ok(value) => Given::Value(value),
            Err(complaint) => {
                self.refuse(name, complaint);
                Given::Wrong
            }
        }
    }

    /// Notes a mistake that the caller found.
    pub(crate) fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Notes that a URL may not be probed: if nothing else is wrong, the problem says so by its type.
    pub(crate) fn refuse_url(&mut self, field: &'static str, message: impl Into<String>) {
        self.forbidden_url = true;
        self.refuse(field, message);
    }

    /// Whether nothing was wrong so far, unknown names aside.
    #[must_use]
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Refuses whatever nobody asked for.
    ///
    /// # Errors
    /// 422 with everything that was wrong.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let mut unknown: Vec<String> = self
            .entries
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !self.known.contains(&name.as_str()))
            .map(|name| shortened(name))
            .collect();
        unknown.dedup();
        for name in unknown {
            self.refuse(name, "is not a known field");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        if self.forbidden_url && self.errors.len() == 1 {
            return Err(Problem::url_not_allowed(self.errors));
        }
        Err(Problem::invalid(self.errors))
    }
}

/// An unknown name is repeated in the answer, but not at any length.
fn shortened(name: &str) -> String {
    const SHOWN_CHARS: usize = 64;
    name.chars().take(SHOWN_CHARS).collect()
}

/// Decodes one part of a query; `+` is a space, as in forms.
fn decode(part: &str) -> Result<String, Problem> {
    let refused = || Problem::malformed("The query is not valid percent-encoded UTF-8.");
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(refused());
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(0));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_not_utf8| refused())
}

/// Text without NUL, which no column of ours can hold.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn text(node: &Node) -> Result<&str, Complaint> {
    match node {
        Node::Text(text) if text.contains('\0') => {
            Err("must not contain NUL characters".to_owned())
        }
        Node::Text(text) => Ok(text),
        other => Err(format!("must be text, not {}", other.kind())),
    }
}

/// A truth value.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn boolean(node: &Node) -> Result<bool, Complaint> {
    match node {
        Node::Bool(value) => Ok(*value),
        other => Err(format!("must be true or false, not {}", other.kind())),
    }
}

/// A whole number within `range`.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn integer(node: &Node, range: &RangeInclusive<i64>) -> Result<i64, Complaint> {
    let (least, most) = (range.start(), range.end());
    let Node::Number(number) = node else {
        return Err(format!("must be a whole number, not {}", node.kind()));
    };
    match whole(number) {
        Some(value) if range.contains(&value) => Ok(value),
        None if !number.is_u64() => Err("must be a whole number".to_owned()),
        _ => Err(format!("must lie between {least} and {most}")),
    }
}

/// JSON has one kind of number: `10.0` and `1e1` are ten.
fn whole(number: &Number) -> Option<i64> {
    /// Beyond it a float is not exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    let exact = || float().filter(|float| float.abs() <= EXACT);
    number
        .as_i64()
        .or_else(|| exact().and_then(|float| format!("{float:.0}").parse().ok()))
}

/// Any number.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn number(node: &Node) -> Result<f64, Complaint> {
    match node {
        Node::Number(number) => number.as_f64().ok_or_else(|| "must be a number".to_owned()),
        other => Err(format!("must be a number, not {}", other.kind())),
    }
}

#[cfg(test)]
mod tests;
