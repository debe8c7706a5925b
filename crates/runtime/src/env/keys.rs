//! Signing keys that can be changed without a break: `new[,old]`.

use secrecy::SecretString;

use super::Reader;

/// The first key signs, both verify.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// Signs and verifies.
    pub current: SecretString,
    /// Verifies only, until what it signed has expired.
    pub previous: Option<SecretString>,
}

impl KeyPair {
    /// Shorter keys can be guessed from one signature: HS256 wants as many bytes as its hash.
    pub const MIN_BYTES: usize = 32;

    /// Reads a pair that must be there.
    pub fn required(reader: &Reader<'_>, name: &str) -> Option<Self> {
        match reader.secret_text(name) {
            Ok(Some(text)) => Self::parse(reader, name, &text),
            Ok(None) => reader.refuse(name, "is required and not set"),
            Err(_) => None,
        }
    }

    /// Reads a pair that may be left out.
    pub fn optional(reader: &Reader<'_>, name: &str) -> Option<Self> {
        let text = reader.secret_text(name).ok().flatten()?;
        Self::parse(reader, name, &text)
    }

    fn parse(reader: &Reader<'_>, name: &str, text: &str) -> Option<Self> {
        let keys: Vec<&str> = text.split(',').map(str::trim).collect();
        let problem = match keys.as_slice() {
            [current] => weakness(current),
            [current, previous] => weakness(current).or_else(|| weakness(previous)),
            _ => Some("holds more than two keys (`new,old`)"),
        };
        if let Some(problem) = problem {
            return reader.refuse(name, problem);
        }
        let mut keys = keys.into_iter().map(SecretString::from);
        Some(Self {
            current: keys.next()?,
            previous: keys.next(),
        })
    }
}

/// Parts of values that people copy out of examples.
const SAMPLE_PARTS: [&str; 8] = [
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "your-secret",
    "your_secret",
    "super-secret",
    "0123456789abcdef0123456789abcdef",
];

fn weakness(key: &str) -> Option<&'static str> {
    if key.len() < KeyPair::MIN_BYTES {
        return Some("needs keys of at least 32 bytes (try `openssl rand -hex 32`)");
    }
    let lower = key.to_ascii_lowercase();
    if SAMPLE_PARTS.iter().any(|part| lower.contains(part)) {
        return Some("is a sample value: make your own (try `openssl rand -hex 32`)");
    }
    let first = key.chars().next();
    if key.chars().all(|c| Some(c) == first) {
        return Some("is one character repeated: make your own (try `openssl rand -hex 32`)");
    }
    None
}
