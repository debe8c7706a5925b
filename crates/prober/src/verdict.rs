//! What a failed probe says: one kind, told apart by what was really seen, and one sentence for a person.
//!
//! A sentence may carry what the tenant wrote and what his own server showed to the world (a status, a certificate's
//! names). It never carries an address that was looked up.

use std::io;

use guard::{DialError, Refusal, ResolveError};
use models::probe::{ErrorKind, ProbeError};
use rustls::Error as TlsError;

use crate::meter::{End, ReadLimitReached, Seen, code_name};
use crate::redirect::MAX_REDIRECTS;

/// A probe that found something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Our own fault, in words that name no internals.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(
            ErrorKind::Internal,
            format!("the prober could not judge: {what}"),
        )
    }

    /// The destination of the service itself is not allowed.
    pub(crate) fn blocked() -> Self {
        Self::new(
            ErrorKind::BlockedDestination,
            "the destination is not allowed to be probed",
        )
    }

    pub(crate) fn resolve(error: &ResolveError) -> Self {
        let kind = match error {
            ResolveError::NxDomain => ErrorKind::DnsNxdomain,
            ResolveError::ServFail => ErrorKind::DnsServfail,
            ResolveError::Timeout => ErrorKind::DnsTimeout,
            ResolveError::NoAddress => ErrorKind::DnsNoAddress,
            ResolveError::Local => return Self::internal("no name server could be asked"),
            ResolveError::Blocked(_) => return Self::blocked(),
        };
        Self::new(kind, format!("DNS: {error}"))
    }

    pub(crate) fn dial(error: &DialError, port: u16) -> Self {
        match error {
            DialError::Deadline => Self::new(
                ErrorKind::TimeoutConnect,
                "no TCP connection before the timeout",
            ),
            DialError::TimedOut => Self::new(
                ErrorKind::ConnectTimeout,
                "the server did not answer the TCP connection",
            ),
            DialError::Refused => Self::new(
                ErrorKind::ConnectRefused,
                format!("the connection to port {port} was refused"),
            ),
            DialError::Reset => Self::new(
                ErrorKind::ConnectReset,
                format!("the connection to port {port} was reset"),
            ),
            DialError::Unreachable => {
                Self::new(ErrorKind::ConnectUnreachable, "the server can't be reached")
            }
            DialError::WrongPeer => Self::blocked(),
            DialError::Local(_) => Self::internal("no socket was free"),
        }
    }

    /// A TLS handshake that failed for another reason than the certificate.
    pub(crate) fn tls(error: &io::Error, seen: &Seen) -> Self {
        if seen.first_byte().is_some_and(|byte| !is_tls_record(byte)) {
            return Self::new(
                ErrorKind::TlsNotTls,
                "the server does not speak TLS on this port",
            );
        }
        if find::<ReadLimitReached>(error).is_some() {
            return Self::new(
                ErrorKind::TlsHandshake,
                "the server sent more than 256 KiB before the TLS handshake ended",
            );
        }
        if let Some(error) = find::<TlsError>(error) {
            return Self::tls_protocol(error);
        }
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the server closed the connection during the TLS handshake"
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                "the server reset the connection during the TLS handshake"
            }
            _ => "the TLS handshake failed",
        };
        Self::new(ErrorKind::TlsHandshake, what)
    }

    /// What went wrong with TLS itself, in its handshake or behind it.
    fn tls_protocol(error: &TlsError) -> Self {
        use rustls::{AlertDescription as Alert, InvalidMessage as Message};
        match error {
            TlsError::AlertReceived(Alert::ProtocolVersion) => Self::new(
                ErrorKind::TlsProtocol,
                "the server offers no TLS version that is still considered safe (1.2 or 1.3)",
            ),
            TlsError::AlertReceived(alert) => Self::new(
                ErrorKind::TlsAlert,
                format!(
                    "the server broke off TLS with the alert {}",
                    alert_name(*alert)
                ),
            ),
            TlsError::PeerIncompatible(_) => Self::new(
                ErrorKind::TlsProtocol,
                "the server offers no TLS version or cipher that is still considered safe",
            ),
            TlsError::InvalidMessage(
                Message::HandshakePayloadTooLarge | Message::CertificatePayloadTooLarge,
            ) => Self::new(
                ErrorKind::TlsHandshake,
                "a message of the TLS handshake is larger than 64 KiB: too many certificates, as a rule",
            ),
            TlsError::InvalidMessage(_)
            | TlsError::InappropriateMessage { .. }
            | TlsError::InappropriateHandshakeMessage { .. }
            | TlsError::PeerMisbehaved(_)
            | TlsError::PeerSentOversizedRecord
            | TlsError::DecryptError => {
                Self::new(ErrorKind::TlsHandshake, "the server broke the TLS protocol")
            }
            _ => Self::new(ErrorKind::TlsHandshake, "the TLS handshake failed"),
        }
    }

    /// An HTTP/1 request that got no usable answer, told by how the connection ended; `is_begun` where something of an
    /// answer had come.
    pub(crate) fn http1(end: Option<&End>, is_begun: bool) -> Self {
        match end {
            Some(End::ReadLimit) => Self::too_much_before_answer(),
            Some(End::Tls(error)) => Self::tls_protocol(error),
            Some(end @ (End::Reset | End::Closed)) => Self::cut_off(end == &End::Reset, is_begun),
            None => Self::new(ErrorKind::HttpProtocol, "the connection broke"),
        }
    }

    pub(crate) fn head_too_large() -> Self {
        Self::new(
            ErrorKind::HeadersTooLarge,
            "the headers of the answer are larger than 32 KiB",
        )
    }

    /// An HTTP/2 request that got no usable answer, told by the frames and the end that were seen: the library's errors
    /// do not say enough.
    pub(crate) fn http2(seen: &Seen) -> Self {
        let frames = seen.frames();
        let is_begun = frames.header_bytes > 0;
        let protocol = |what: &str| Self::new(ErrorKind::HttpProtocol, what);
        if frames.large_block || frames.large_list {
            return Self::http2_headers_too_large();
        }
        if frames.large_lists {
            return Self::new(
                ErrorKind::HeadersTooLarge,
                "the headers of all answers together are larger than 64 KiB (HTTP/2)",
            );
        }
        if frames.long_block {
            return Self::new(
                ErrorKind::HeadersTooLarge,
                "the headers of the answer come in more than 6 frames (HTTP/2)",
            );
        }
        if frames.not_http2 {
            return protocol("what the server sent is not valid HTTP/2");
        }
        match seen.end() {
            Some(End::ReadLimit) if is_begun => return Self::too_much_before_answer(),
            Some(End::ReadLimit) => {
                return protocol(
                    "the server sent more than 256 KiB of HTTP/2 frames and no answer",
                );
            }
            Some(End::Tls(error)) => return Self::tls_protocol(error),
            _ => {}
        }
        let told = match (frames.reset, frames.go_away) {
            (Some(code), _) => format!("refused the request with RST_STREAM ({})", code_name(code)),
            (None, Some(code)) => {
                format!("closed the connection with GOAWAY ({})", code_name(code))
            }
            (None, None) => match seen.end() {
                Some(end @ (End::Reset | End::Closed)) => {
                    return Self::cut_off(end == &End::Reset, is_begun);
                }
                _ => return protocol("the server broke the HTTP/2 protocol"),
            },
        };
        if is_begun {
            return protocol(&format!("the server {told} in the middle of its answer"));
        }
        Self::new(
            ErrorKind::ConnectReset,
            format!("the server {told} before it answered"),
        )
    }

    fn cut_off(is_reset: bool, is_begun: bool) -> Self {
        let (kind, what) = match (is_reset, is_begun) {
            (true, false) => (
                ErrorKind::ConnectReset,
                "the server reset the connection before it answered",
            ),
            (true, true) => (
                ErrorKind::HttpProtocol,
                "the server reset the connection in the middle of its answer",
            ),
            (false, false) => (
                ErrorKind::HttpProtocol,
                "the server closed the connection without an answer",
            ),
            (false, true) => (
                ErrorKind::HttpProtocol,
                "the server closed the connection in the middle of its answer",
            ),
        };
        Self::new(kind, what)
    }

    pub(crate) fn http2_headers_too_large() -> Self {
        Self::new(
            ErrorKind::HeadersTooLarge,
            "the headers of the answer are larger than 16 KiB (HTTP/2)",
        )
    }

    fn too_much_before_answer() -> Self {
        Self::new(
            ErrorKind::HeadersTooLarge,
            "the server sent more than 256 KiB before its answer",
        )
    }

    /// A redirect whose next hop may not be requested.
    pub(crate) fn redirect_blocked(refusal: Option<&Refusal>) -> Self {
        let message = match refusal {
            Some(refusal) if !refusal.is_about_destination() => {
                format!("the server redirects to a URL that {refusal}")
            }
            _ => {
                "the server redirects to a destination that is not allowed to be probed".to_owned()
            }
        };
        Self::new(ErrorKind::RedirectBlocked, message)
    }

    /// The answer after the last redirect was one more.
    pub(crate) fn too_many_redirects() -> Self {
        Self::new(
            ErrorKind::TooManyRedirects,
            format!("the server redirects more than {MAX_REDIRECTS} times"),
        )
    }

    /// Says at which hop it happened, when it was not the first.
    pub(crate) fn after_redirects(mut self, redirects: usize) -> Self {
        if redirects > 0 && self.kind.class() != models::probe::ErrorClass::Redirect {
            let plural = if redirects == 1 { "" } else { "s" };
            self.message = format!("{} (after {redirects} redirect{plural})", self.message);
        }
        self
    }

    /// For the result: bounded, on one line.
    pub(crate) fn into_error(self) -> ProbeError {
        let mut message: String = self.message.chars().map(printable).collect();
        if message.len() > ProbeError::MAX_MESSAGE {
            let mut end = ProbeError::MAX_MESSAGE - ELLIPSIS.len();
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
            message.push_str(ELLIPSIS);
        }
        ProbeError {
            kind: self.kind,
            message,
        }
    }
}

const ELLIPSIS: &str = "…";

fn printable(c: char) -> char {
    if moves_text(c) { ' ' } else { c }
}

/// Whether a character does something to the text around it instead of being read: control characters, line and
/// paragraph separators, marks that turn the direction of reading. A stranger's certificate may hold any of them.
pub(crate) fn moves_text(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As the alert's own name is written (RFC 6066, section 9): rustls spells that one alone in another way.
fn alert_name(alert: rustls::AlertDescription) -> String {
    match alert {
        rustls::AlertDescription::UnrecognisedName => "UnrecognizedName".to_owned(),
        alert => format!("{alert:?}"),
    }
}

/// Record types of TLS: change cipher spec, alert, handshake, application data, heartbeat.
fn is_tls_record(byte: u8) -> bool {
    (20..=24).contains(&byte)
}

/// The first error of a type in a chain, also inside an `io::Error`, which hides what it wraps from `source`.
pub(crate) fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    /// No honest chain is deeper.
    const DEPTH: usize = 8;
    let mut next = Some(error);
    for _ in 0..DEPTH {
        let error = next?;
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_bounded_line() {
        let error =
            Failure::new(ErrorKind::TlsAlert, format!("a\r\n{}", "ü".repeat(400))).into_error();
        assert!(error.message.len() <= ProbeError::MAX_MESSAGE && error.message.ends_with('…'));
        assert!(error.message.starts_with("a  ü"));
        let turned = Failure::new(ErrorKind::TlsAlert, "a\u{2028}b\u{202e}c").into_error();
        assert_eq!(turned.message, "a b c");
    }

    #[test]
    fn a_blocked_destination_tells_no_address() {
        let refusal = Refusal::Address {
            ip: [10, 0, 0, 5].into(),
            range: "a private network".into(),
        };
        let said = Failure::resolve(&ResolveError::Blocked(refusal.clone())).message;
        assert_eq!(said, "the destination is not allowed to be probed");
        assert!(
            !Failure::redirect_blocked(Some(&refusal))
                .message
                .contains("10.")
        );
    }

    #[test]
    fn each_failure_of_a_lookup_or_a_dial_has_its_kind_and_ours_are_nobodys_fault() {
        let found = |error| Failure::resolve(&error).kind.as_str();
        assert_eq!(found(ResolveError::NxDomain), "dns_nxdomain");
        assert_eq!(found(ResolveError::ServFail), "dns_servfail");
        assert_eq!(found(ResolveError::Timeout), "dns_timeout");
        assert_eq!(found(ResolveError::NoAddress), "dns_no_address");
        assert_eq!(found(ResolveError::Local), "internal");
        let dialled = |error| Failure::dial(&error, 80).kind.as_str();
        assert_eq!(dialled(DialError::Deadline), "timeout_connect");
        assert_eq!(dialled(DialError::TimedOut), "connect_timeout");
        assert_eq!(dialled(DialError::Refused), "connect_refused");
        assert_eq!(dialled(DialError::Reset), "connect_reset");
        assert_eq!(dialled(DialError::Unreachable), "connect_unreachable");
        assert_eq!(dialled(DialError::WrongPeer), "blocked_destination");
        let no_port = io::Error::other("no port");
        assert_eq!(dialled(DialError::Local(no_port)), "internal");
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let hidden = io::Error::other(io::Error::other(ReadLimitReached));
        assert!(find::<ReadLimitReached>(&hidden).is_some());
        assert!(find::<TlsError>(&hidden).is_none());
    }
}
