//! What a target does with a request.

use std::time::Duration;

use bytes::Bytes;

/// One answer, or the lack of one.
#[derive(Debug, Clone)]
pub struct Step {
    pub(super) delay: Duration,
    pub(super) act: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
    },
    Raw(Bytes),
    Drip {
        bytes: Bytes,
        every: Duration,
    },
    Silence,
    Close,
    Reset,
}

impl Step {
    /// Answers with this status and a short body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::body(status, Bytes::from_static(b"ok"))
    }

    /// Answers with this status and body.
    #[must_use]
    pub fn body(status: u16, body: impl Into<Bytes>) -> Self {
        Self::act(Act::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    /// Answers 302 to `location`.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::status(302).header("location", location)
    }

    /// Writes these bytes instead of HTTP, and closes.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::act(Act::Raw(bytes.into()))
    }

    /// Writes a good answer one byte at a time, this far apart.
    #[must_use]
    pub fn drip(every: Duration) -> Self {
        let bytes = Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Self::act(Act::Drip { bytes, every })
    }

    /// Never answers.
    #[must_use]
    pub fn silence() -> Self {
        Self::act(Act::Silence)
    }

    /// Closes the connection without an answer.
    #[must_use]
    pub fn close() -> Self {
        Self::act(Act::Close)
    }

    /// Resets the connection (RST).
    #[must_use]
    pub fn reset() -> Self {
        Self::act(Act::Reset)
    }

    /// The same, so much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// With one more header; only for answers.
    ///
    /// # Panics
    /// Where the step is no answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Act::Answer { headers, .. } = &mut self.act else {
            panic!("only an answer has headers")
        };
        headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn act(act: Act) -> Self {
        Self {
            delay: Duration::ZERO,
            act,
        }
    }
}
