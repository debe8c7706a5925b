//! What of a signature or a digest travels, and how.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Visitor;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes of a signature and of a digest.
pub(super) const BYTES: usize = 16;
/// As many in base64.
const CHARACTERS: usize = 22;
/// Room in which base64 is willing to read so many characters.
const ROOM: usize = 18;

/// Sixteen bytes that travel as 22 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(pub(super) [u8; BYTES]);

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut room = [0; CHARACTERS];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut room);
        written.map_err(S::Error::custom)?;
        let text = std::str::from_utf8(&room).map_err(S::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

impl TryFrom<&str> for Tag {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let mut room = [0; ROOM];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut room);
        match (read, room.first_chunk()) {
            (Ok(BYTES), Some(bytes)) => Ok(Self(*bytes)),
            _ => Err(what_is_wrong(text)),
        }
    }
}

/// With a text that is no tag.
fn what_is_wrong(text: &str) -> String {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) => format!("a signature or digest of {} bytes", bytes.len()),
        Err(error) => format!("not a signature or digest: {error}"),
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Tag;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tag, E> {
        Tag::try_from(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tag_travels_as_base64_and_comes_back(bytes: [u8; BYTES]) {
            let text = serde_json::to_string(&Tag(bytes)).unwrap();
            prop_assert_eq!(&text, &format!("\"{}\"", URL_SAFE_NO_PAD.encode(bytes)));
            prop_assert_eq!(serde_json::from_str::<Tag>(&text).unwrap(), Tag(bytes));
            let value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_value::<Tag>(value).unwrap(), Tag(bytes));
        }

        #[test]
        fn only_base64_of_sixteen_bytes_is_a_tag(text in "[A-Za-z0-9_-]{18,26}=?|[A-Za-z0-9_-]{21}[AQgw=.]") {
            let read = serde_json::from_value::<Tag>(serde_json::json!(text));
            match URL_SAFE_NO_PAD.decode(&text).map(<[u8; BYTES]>::try_from) {
                Ok(Ok(bytes)) => prop_assert_eq!(read.unwrap(), Tag(bytes)),
                wrong => prop_assert!(read.is_err(), "{text}: {wrong:?}"),
            }
        }
    }
}
