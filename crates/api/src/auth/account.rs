//! The fields of an account: what exists is valid.

use secrecy::SecretString;
use unicode_normalization::UnicodeNormalization as _;
use url::Host;

use super::passwords::MAX_BYTES;
use crate::input::{self, Complaint, Node};

/// Longest address that mail can carry.
const MAX_EMAIL_BYTES: usize = 254;
/// Longest part before the @.
const MAX_LOCAL_BYTES: usize = 64;
const MAX_USERNAME_CHARS: usize = 64;
/// Letters, by Unicode, that nobody sees.
const BLANK_LETTERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];
const MIN_PASSWORD_CHARS: usize = 8;

/// An e-mail address, as it is shown and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email {
    /// As typed, trimmed, with the domain in ASCII.
    pub(crate) shown: String,
    /// Lower-case, NFC.
    pub(crate) key: String,
}

impl Email {
    /// # Errors
    /// The sentence for the client.
    pub(crate) fn parse(text: &str) -> Result<Self, Complaint> {
        const SHAPE: &str = "must be an e-mail address such as name@example.com";
        let text: String = text.trim().nfc().collect();
        if text.len() > MAX_EMAIL_BYTES {
            return Err(format!("must be at most {MAX_EMAIL_BYTES} bytes long"));
        }
        let (local, domain) = text.split_once('@').ok_or(SHAPE)?;
        if !is_local_part(local) {
            return Err(SHAPE.to_owned());
        }
        let domain = match Host::parse(domain) {
            Ok(Host::Domain(domain)) if is_mail_domain(&domain) => domain,
            _ => return Err(SHAPE.to_owned()),
        };
        let shown = format!("{local}@{domain}");
        if shown.len() > MAX_EMAIL_BYTES {
            return Err(format!("must be at most {MAX_EMAIL_BYTES} bytes long"));
        }
        Ok(Self {
            key: key_of(&shown),
            shown,
        })
    }
}

/// Dot-separated words without quotes, comments, blanks or control characters.
fn is_local_part(local: &str) -> bool {
    let is_word_char = |c: char| {
        c.is_alphanumeric() || (c.is_ascii_graphic() && !"\"(),:;<>@[\\]".contains(c) && c != '.')
    };
    local.len() <= MAX_LOCAL_BYTES
        && local
            .split('.')
            .all(|word| !word.is_empty() && word.chars().all(is_word_char))
}

/// Two labels or more, each of letters, digits and inner hyphens.
fn is_mail_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// A user name, as it is shown and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Username {
    /// As typed, trimmed, with single spaces.
    pub(crate) shown: String,
    /// Lower-case, NFKC: letters of another width or style are the plain ones.
    pub(crate) key: String,
}

impl Username {
    /// # Errors
    /// The sentence for the client.
    pub(crate) fn parse(text: &str) -> Result<Self, Complaint> {
        let words = text.trim().split(' ').filter(|word| !word.is_empty());
        let shown: String = words.collect::<Vec<_>>().join(" ").nfc().collect();
        let length = shown.chars().count();
        if length == 0 {
            return Err("must not be empty".to_owned());
        }
        if length > MAX_USERNAME_CHARS {
            return Err(format!(
                "must be at most {MAX_USERNAME_CHARS} characters, is {length}"
            ));
        }
        if !shown
            .chars()
            .all(|c| (c.is_alphanumeric() && !BLANK_LETTERS.contains(&c)) || " ._-+'@".contains(c))
        {
            return Err("must consist of letters, digits, spaces and . _ - + ' @".to_owned());
        }
        let plain: String = shown.nfkc().collect();
        Ok(Self {
            key: plain.to_lowercase().nfkc().collect(),
            shown,
        })
    }
}

fn key_of(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// Reads an address to register.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn email(node: &Node) -> Result<Email, Complaint> {
    Email::parse(input::text(node)?)
}

/// Reads a user name; `null` is none.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn username(node: &Node) -> Result<Option<Username>, Complaint> {
    match node {
        Node::Null => Ok(None),
        other => Username::parse(input::text(other)?).map(Some),
    }
}

/// Reads a password to set: 8 characters to 72 bytes (bcrypt reads no more), without NUL.
///
/// # Errors
/// The sentence for the client; it never repeats the password.
pub(crate) fn new_password(node: &Node) -> Result<SecretString, Complaint> {
    let password = input::text(node)?;
    check_password(password)?;
    Ok(password.into())
}

/// Judges a password to set.
///
/// # Errors
/// The sentence for who chose it; it never repeats the password.
pub(crate) fn check_password(password: &str) -> Result<(), Complaint> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(format!(
            "must be at least {MIN_PASSWORD_CHARS} characters long"
        ));
    }
    if password.len() > MAX_BYTES {
        return Err(format!("must be at most {MAX_BYTES} bytes long"));
    }
    Ok(())
}

/// Reads any text to compare: a login says nothing about what a password may look like.
///
/// # Errors
/// The sentence for the client.
pub(crate) fn secret(node: &Node) -> Result<SecretString, Complaint> {
    match node {
        Node::Text(text) => Ok(text.as_str().into()),
        other => Err(format!("must be text, not {}", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_and_with_ascii_domains() {
        let email = Email::parse("  Ann.Lee+x@Bücher.Example ").unwrap();
        assert_eq!(email.shown, "Ann.Lee+x@xn--bcher-kva.example");
        assert_eq!(email.key, "ann.lee+x@xn--bcher-kva.example");
        // composed and decomposed spelling are one address
        assert_eq!(
            Email::parse("\u{e4}@a.example").unwrap(),
            Email::parse("a\u{308}@a.example").unwrap()
        );
    }

    #[test]
    fn what_mail_can_not_carry_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in [
            "",
            "a",
            "a@",
            "@a.example",
            "a@b",
            "a b@c.example",
            "a@b@c.example",
            "\"a\"@b.example",
            ".a@b.example",
            "a.@b.example",
            "a..b@c.example",
            "a@-b.example",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@b..example",
            "a\r\nBcc: x@y.example",
            "a@b.example\0",
            "<a@b.example>",
            &long,
        ] {
            assert!(Email::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn user_names_are_compared_as_a_reader_compares_them() {
        let key = |name: &str| Username::parse(name).unwrap().key;
        for same in [" Bob Lee ", "bOB  lee", "ＢＯＢ Ｌee", "𝐁ob Lee", "ⓑob Lee"] {
            assert_eq!(key(same), "bob lee", "{same}");
        }
        assert_eq!(Username::parse(" Bob   Lee").unwrap().shown, "Bob Lee");
        for wrong in [
            "",
            "  ",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{a0}b",
            "a\u{3000}b",
            "a\u{3164}b",
            "a\nb",
            "a\tb",
            "<b>",
            &"x".repeat(65),
        ] {
            assert!(Username::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn passwords_have_eight_characters_to_seventy_two_bytes() {
        let read = |text: &str| new_password(&Node::Text(text.to_owned())).is_ok();
        assert!(!read("1234567"));
        assert!(read("ääääääää"));
        assert!(read(&"x".repeat(72)));
        assert!(!read(&"x".repeat(73)));
        assert!(!read(&"ä".repeat(37)));
        assert!(!read("12345678\0"));
    }
}
