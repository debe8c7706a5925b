//! JSON as it was written: order and repeated names are kept, so that nothing passes silently.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::error::Problem;

/// How deep objects and arrays may be nested.
pub(crate) const MAX_DEPTH: usize = 8;

/// One JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Any number.
    Number(Number),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, with repeated names.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// What it is, for a sentence.
    #[must_use]
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Reads exactly one value.
    ///
    /// # Errors
    /// 400 that says where it stopped making sense, in our words.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let read = AtDepth(0).deserialize(&mut reader);
        let node = read.and_then(|node| reader.end().map(|()| node));
        node.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::malformed(if error.is_data() {
                format!("The JSON is nested deeper than {MAX_DEPTH} levels.")
            } else {
                format!("The body is not valid JSON (line {line}, column {column}).")
            })
        })
    }
}

/// Reads one value that stands inside so many others.
#[derive(Clone, Copy)]
struct AtDepth(usize);

impl AtDepth {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.0 < MAX_DEPTH {
            Ok(Self(self.0 + 1))
        } else {
            Err(E::custom("too deep"))
        }
    }
}

impl<'de> DeserializeSeed<'de> for AtDepth {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AtDepth {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        // The parser refuses what is not finite before it comes here.
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let inside = self.inside()?;
        let mut object = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            object.push((name, entries.next_value_seed(inside)?));
        }
        Ok(Node::Object(object))
    }
}
