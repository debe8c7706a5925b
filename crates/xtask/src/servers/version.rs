//! Versions of programs, as their own output or their folder's name tells them.

use std::fmt;

/// `major.minor`; what follows does not matter to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// The first number.
    pub(crate) major: u32,
    /// The second number; 0 where there is none.
    pub(crate) minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// The first number in the text that looks like a version: `postgres (PostgreSQL) 15.18 (…)`,
    /// `17devel`, `rabbitmq_server-3.10.8`.
    pub(crate) fn first_in(text: &str) -> Option<Self> {
        let from = text.find(|c: char| c.is_ascii_digit())?;
        let (_, text) = text.split_at_checked(from)?;
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, _) = text.split_at_checked(end)?;
        let mut parts = number.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().and_then(|m| m.parse().ok()).unwrap_or(0);
        Some(Self { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(major: u32, minor: u32) -> Option<Version> {
        Some(Version { major, minor })
    }

    #[test]
    fn every_spelling_that_the_two_servers_use_is_read() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                version(15, 18),
            ),
            ("postgres (PostgreSQL) 18beta1", version(18, 0)),
            ("postgres (PostgreSQL) 17devel", version(17, 0)),
            ("rabbitmq_server-3.10.8", version(3, 10)),
            ("rabbitmq_server-4.0.5", version(4, 0)),
            ("4.1.0-rc.1\n", version(4, 1)),
            ("no number here", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Version::first_in(text), expected, "{text}");
        }
    }

    #[test]
    fn ten_is_more_than_nine() {
        assert!(Version::first_in("3.10.8") > Version::first_in("3.9.27"));
    }
}
