//! One request over one fresh connection, and as much of the answer as a verdict needs: in HTTP/1 or HTTP/2, with the
//! same limits and the same words for what goes wrong.

use guard::Alarm;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use models::probe::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use url::Url;

use crate::http1::Http1;
use crate::http2::Http2;
use crate::meter::Seen;
use crate::verdict::Failure;

/// Fields of an answer.
pub(crate) const MAX_HEADERS: usize = 100;
/// What is read of a body; a longer one is no failure.
pub(crate) const MAX_BODY_BYTES: u64 = 64 * 1024;

/// What a probe speaks over: a TCP connection, or TLS on one.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// Which protocol the handshake chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Where it sends the probe, should it be a redirect.
    pub(crate) location: Option<HeaderValue>,
    /// When it was complete.
    pub(crate) at: Instant,
}

/// A connection with its request sent or about to be.
#[derive(Debug)]
pub(crate) enum Exchange {
    Http1(Http1),
    /// Boxed: what HTTP/2 needs is several times as large.
    Http2(Box<Http2>),
}

impl Exchange {
    /// Prepares a connection over a stream that is open and, for https, encrypted. `now` is the moment when it was.
    pub(crate) async fn open(
        stream: Box<dyn Socket>,
        protocol: Protocol,
        seen: Arc<Seen>,
        now: Instant,
        alarm: &mut Alarm,
    ) -> Result<Self, Failure> {
        match protocol {
            Protocol::Http1 => Ok(Self::Http1(Http1::new(stream, now))),
            Protocol::Http2 => {
                let opening = Box::pin(Http2::open(stream, seen, alarm));
                Ok(Self::Http2(Box::new(opening.await?)))
            }
        }
    }

    /// Sends the request and waits for the head of the answer that counts; interim answers are skipped.
    pub(crate) async fn request(
        &mut self,
        url: &Url,
        user_agent: &HeaderValue,
        alarm: &mut Alarm,
    ) -> Result<Head, Failure> {
        match self {
            Self::Http1(http1) => http1.request(url, user_agent, alarm).await,
            Self::Http2(http2) => {
                let requesting = Box::pin(http2.request(url, user_agent, alarm));
                requesting.await
            }
        }
    }

    /// When the request's last byte was written.
    pub(crate) fn written_at(&self) -> Instant {
        match self {
            Self::Http1(http1) => http1.written_at(),
            Self::Http2(http2) => http2.written_at(),
        }
    }

    /// Reads the body to its end or to [`MAX_BODY_BYTES`], whichever comes first.
    pub(crate) async fn read_body(&mut self, alarm: &mut Alarm) -> Result<(), Failure> {
        match self {
            Self::Http1(http1) => http1.read_body(alarm).await,
            Self::Http2(http2) => {
                let reading = Box::pin(http2.read_body(alarm));
                reading.await
            }
        }
    }
}

pub(crate) fn no_first_byte() -> Failure {
    Failure::new(ErrorKind::TimeoutFirstByte, "no answer before the timeout")
}

pub(crate) fn body_too_late() -> Failure {
    Failure::new(
        ErrorKind::TimeoutBody,
        "the body did not end before the timeout",
    )
}

pub(crate) fn body_cut_off() -> Failure {
    Failure::new(
        ErrorKind::BodyIncomplete,
        "the connection ended before the body was complete",
    )
}

pub(crate) fn switched_protocols() -> Failure {
    Failure::new(
        ErrorKind::HttpProtocol,
        "the server switched protocols without being asked",
    )
}

pub(crate) fn too_many_headers() -> Failure {
    Failure::new(
        ErrorKind::HeadersTooLarge,
        "the answer has more than 100 headers",
    )
}

pub(crate) fn unwritable() -> Failure {
    Failure::internal("the URL can't be written as a request")
}
