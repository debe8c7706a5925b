//! A service's fields: what exists is valid.

use std::fmt;

use url::{Host, Url};

/// What a service looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No result yet.
    Unknown,
    /// The last result was good.
    Up,
    /// The last result failed, the streak is under the threshold.
    Failing,
    /// An incident is open.
    Down,
    /// Not probed.
    Paused,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Up,
        Self::Failing,
        Self::Down,
        Self::Paused,
    ];

    /// As stored, and as written in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Failing => "failing",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Why a field was refused: a sentence that follows the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Refused {
    fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// 1 to 255 characters, trimmed, without control or direction-changing characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

impl ServiceName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 255;

    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        // Before trimming, which would take some of them off the ends.
        if text.chars().any(is_forbidden) {
            return Err(Refused::because("must not contain control characters"));
        }
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 {
            return Err(Refused::because("must not be empty"));
        }
        if length > Self::MAX_CHARS {
            return Err(Refused::because(format!(
                "must be at most {} characters, is {length}",
                Self::MAX_CHARS
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that change the direction of what follows.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An http or https URL in its normal form. Whether its host may be probed is the guard's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl(Url);

impl ServiceUrl {
    /// Longest URL, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Parses and normalises: a fragment is dropped, an international name becomes punycode.
    ///
    /// # Errors
    /// A sentence that says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(Refused::because("must not be empty"));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(Refused::because(format!(
                "must be at most {} bytes",
                Self::MAX_BYTES
            )));
        }
        if text
            .chars()
            .any(|c| is_forbidden(c) || c.is_whitespace() || c == '\\')
        {
            return Err(Refused::because(
                "must not contain spaces, backslashes or control characters",
            ));
        }
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return Err(Refused::because("must begin with http:// or https://"));
        }
        // The parser would quietly drop surplus slashes and find a host in what follows.
        if text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.starts_with('/'))
        {
            return Err(Refused::because("must have a host"));
        }
        let mut url =
            Url::parse(text).map_err(|error| Refused::because(format!("is not a URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::because("must not contain a user name or password"));
        }
        match url.host() {
            None | Some(Host::Domain("")) => return Err(Refused::because("must have a host")),
            Some(_) => {}
        }
        if url.port() == Some(0) {
            return Err(Refused::because("must have a port between 1 and 65535"));
        }
        url.set_fragment(None);
        if url.as_str().len() > Self::MAX_BYTES {
            return Err(Refused::because(format!(
                "must be at most {} bytes in its normal form",
                Self::MAX_BYTES
            )));
        }
        Ok(Self(url))
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether it has a certificate.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A percentage in hundredths of a percent: 1 to 10 000. 9 990 is 99.9 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlaTarget(u16);

impl SlaTarget {
    /// 99.9 %.
    pub const DEFAULT: Self = Self(9990);

    /// From hundredths of a percent.
    #[must_use]
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths >= 1 && hundredths <= 10_000 {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// From a percentage as a client writes it: above 0, at most 100, at most two decimals.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_percent(percent: f64) -> Result<Self, Refused> {
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(Refused::because("must be above 0 and at most 100"));
        }
        let hundredths = (percent * 100.0).round();
        if (percent * 100.0 - hundredths).abs() > 1e-6 {
            return Err(Refused::because("must have at most two decimals"));
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 0..=10000 by the checks above"
        )]
        Self::from_hundredths(hundredths as u16)
            .ok_or_else(|| Refused::because("must be at least 0.01"))
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// As a percentage.
    #[must_use]
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// The default timeout in seconds: ten, or the whole interval where that is shorter.
#[must_use]
pub fn default_timeout_seconds(interval: crate::interval::Interval) -> u32 {
    const USUAL: u32 = 10;
    interval.seconds().min(USUAL)
}

#[cfg(test)]
mod tests;
