//! One mail, stored before its first send and sent the same ever after.

use chrono::{DateTime, Utc};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use models::Time;
use models::id::DeliveryId;
use serde::{Deserialize, Serialize};

use crate::render::Rendered;

/// Everything that a provider is handed. What goes over the wire is a function of this alone, so
/// that a retry is byte for byte the first attempt, unless its reader moved to another address
/// between the two: Resend compares bodies under one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Sender, as `Name <address>`.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// For the `Message-ID` header: constant, so that a mail sent twice over SMTP is recognised.
    pub message_id: String,
    /// For the `Date` header.
    pub date: Time,
}

/// The letter cannot be sent by anyone, ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the mail cannot be built: {0}")]
pub struct BadLetter(String);

impl Letter {
    /// Addresses a rendered mail.
    #[must_use]
    pub fn new(id: DeliveryId, from: &Mailbox, to: &str, rendered: Rendered, now: Time) -> Self {
        Self {
            from: from.to_string(),
            to: to.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            message_id: format!("<{id}@{}>", from.email.domain()),
            date: now,
        }
    }

    /// The same to another address.
    #[must_use]
    pub fn addressed_to(self, to: &str) -> Self {
        Self {
            to: to.to_owned(),
            ..self
        }
    }

    /// The same, with `value` in the place of `mark`.
    #[must_use]
    pub fn with(self, mark: &str, value: &str) -> Self {
        Self {
            text: self.text.replace(mark, value),
            html: self.html.replace(mark, value),
            ..self
        }
    }

    /// The body of Resend's `POST /emails`.
    ///
    /// # Errors
    /// Never for strings; serialising says so itself.
    pub fn resend_body(&self) -> Result<Vec<u8>, BadLetter> {
        #[derive(Serialize)]
        struct Body<'a> {
            from: &'a str,
            to: [&'a str; 1],
            subject: &'a str,
            html: &'a str,
            text: &'a str,
        }
        serde_json::to_vec(&Body {
            from: &self.from,
            to: [&self.to],
            subject: &self.subject,
            html: &self.html,
            text: &self.text,
        })
        .map_err(|error| BadLetter(error.to_string()))
    }

    /// The mail in MIME, for SMTP and for a file.
    ///
    /// # Errors
    /// When an address is not one.
    pub fn mime(&self, id: DeliveryId) -> Result<lettre::Message, BadLetter> {
        let address = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| BadLetter(format!("bad address: {error}")))
        };
        let date: DateTime<Utc> = self.date;
        lettre::Message::builder()
            .from(address(&self.from)?)
            .to(address(&self.to)?)
            .subject(self.subject.as_str())
            .date(date.into())
            .message_id(Some(self.message_id.clone()))
            .multipart(
                MultiPart::alternative()
                    // Not random: the same letter is the same bytes.
                    .boundary(format!("pulsemon-{}", id.as_uuid().simple()))
                    .singlepart(SinglePart::plain(self.text.clone()))
                    .singlepart(SinglePart::html(self.html.clone())),
            )
            .map_err(|error| BadLetter(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        let rendered = Rendered {
            subject: "Down: Grüße".into(),
            text: "text".into(),
            html: "<p>html</p>".into(),
        };
        let from = "Pulsemon <alerts@example.test>".parse().unwrap();
        let date = "2026-01-31T12:00:00Z".parse().unwrap();
        Letter::new(id(), &from, "o@example.test", rendered, date)
    }

    fn id() -> DeliveryId {
        "0190a000-0000-7000-8000-000000000001".parse().unwrap()
    }

    /// Frozen: a release that changes these bytes breaks the retries of the one before.
    #[test]
    fn the_bytes_handed_to_resend_are_frozen() {
        assert_eq!(
            String::from_utf8(letter().resend_body().unwrap()).unwrap(),
            "{\"from\":\"Pulsemon <alerts@example.test>\",\"to\":[\"o@example.test\"],\
             \"subject\":\"Down: Grüße\",\"html\":\"<p>html</p>\",\"text\":\"text\"}"
        );
    }

    #[test]
    fn a_letter_that_was_stored_is_sent_the_same() {
        let stored = serde_json::to_value(letter()).unwrap();
        let again: Letter = serde_json::from_value(stored).unwrap();
        assert_eq!(again, letter());
        let mime = |letter: Letter| letter.mime(id()).unwrap().formatted();
        assert_eq!(mime(again), mime(letter()));
        let text = String::from_utf8(mime(letter())).unwrap();
        assert!(text.contains("Message-ID: <0190a000-0000-7000-8000-000000000001@example.test>"));
        assert!(
            text.contains("Date: Sat, 31 Jan 2026 12:00:00 +0000"),
            "{text}"
        );
    }

    #[test]
    fn a_recipient_that_is_no_address_is_refused_not_injected() {
        let mut letter = letter();
        letter.to = "o@example.test\r\nBcc: everyone@example.test".into();
        assert!(letter.mime(id()).is_err());
    }
}
