//! One request over one fresh connection, and as much of the answer as a verdict needs.
//!
//! The connection is driven here, inside the probe: when the probe ends or is dropped, so does the socket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use models::probe::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

use crate::meter::{End, Plain, ReadLimitReached, Seen, code_name};
use crate::verdict::{Failure, find};

/// Status line and headers of an answer, in bytes (HTTP/1).
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of an HTTP/2 answer, decompressed, each with 32 bytes more (RFC 9113, section 10.5.1).
const MAX_HEADER_LIST_BYTES: usize = 16 * 1024;
/// What the HTTP/2 library stores of them: more, because past this it says nothing but that a protocol was broken.
const STORED_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// Fields of an answer.
const MAX_HEADERS: usize = 100;
/// What is read of a body; a longer one is no failure.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// HTTP/2 flow control: never more on the way than is read of a body.
const WINDOW_BYTES: u32 = 64 * 1024;

/// Fields of a request.
const HEADERS: usize = 5;

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
    pub(crate) headers: HeaderMap,
    /// When it was complete.
    pub(crate) at: Instant,
}

/// A connection with its request sent or about to be.
pub(crate) struct Exchange {
    driver: Driver,
    sender: Sender,
    seen: Arc<Seen>,
    /// Keeps what HTTP/2 spawned; dropped with the probe.
    _tasks: Option<Tasks>,
    body: Option<Incoming>,
    is_delimited: bool,
}

enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Exchange {
    /// Prepares a connection over a stream that is open and, for https, encrypted.
    pub(crate) async fn open<S>(
        stream: S,
        protocol: Protocol,
        seen: Arc<Seen>,
        deadline: Instant,
    ) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let tasks = (protocol == Protocol::Http2).then(Tasks::default);
        let executor = TaskExecutor::of(tasks.as_ref());
        let opening = async {
            match protocol {
                Protocol::Http1 => {
                    let (sender, connection) = http1::Builder::new()
                        .max_headers(MAX_HEADERS)
                        .max_buf_size(MAX_HEAD_BYTES)
                        .handshake(TokioIo::new(Plain::http1(stream, seen.clone())))
                        .await?;
                    Ok((Sender::Http1(sender), Driver::new(connection)))
                }
                Protocol::Http2 => {
                    let (sender, connection) = http2::Builder::new(executor)
                        .initial_stream_window_size(WINDOW_BYTES)
                        .initial_connection_window_size(WINDOW_BYTES)
                        .max_header_list_size(STORED_HEADER_LIST_BYTES)
                        .handshake(TokioIo::new(Plain::http2(stream, seen.clone())))
                        .await?;
                    Ok((Sender::Http2(sender), Driver::new(connection)))
                }
            }
        };
        let (sender, driver) = timeout_at(deadline, opening)
            .await
            .map_err(|_elapsed| no_first_byte())?
            .map_err(|error: hyper::Error| Failure::http(&error, &seen))?;
        Ok(Self {
            driver,
            sender,
            seen,
            _tasks: tasks,
            body: None,
            is_delimited: false,
        })
    }

    /// Sends the request and waits for the head of the answer that counts; interim answers are skipped.
    pub(crate) async fn request(
        &mut self,
        url: &Url,
        user_agent: &HeaderValue,
        deadline: Instant,
    ) -> Result<Head, Failure> {
        let protocol = match self.sender {
            Sender::Http1(_) => Protocol::Http1,
            Sender::Http2(_) => Protocol::Http2,
        };
        let request = build(url, user_agent, protocol)?;
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                timeout_at(deadline, self.driver.with(sender.send_request(request))).await
            }
            Sender::Http2(sender) => {
                timeout_at(deadline, self.driver.with(sender.send_request(request))).await
            }
        };
        let at = Instant::now();
        let answer = match answer {
            Err(_elapsed) => return Err(no_first_byte()),
            Ok(Err(error)) => return Err(self.failure(&error)),
            Ok(Ok(answer)) => answer,
        };
        let (parts, body) = answer.into_parts();
        self.check_head(&parts, protocol)?;
        self.is_delimited = parts.headers.contains_key(header::CONTENT_LENGTH)
            || parts.headers.contains_key(header::TRANSFER_ENCODING)
            || protocol == Protocol::Http2;
        self.body = Some(body);
        Ok(Head {
            status: parts.status,
            headers: parts.headers,
            at,
        })
    }

    /// When the request's last byte was written.
    pub(crate) fn written_at(&self) -> Instant {
        self.seen.last_write()
    }

    /// Reads the body to its end or to [`MAX_BODY_BYTES`], whichever comes first.
    pub(crate) async fn read_body(&mut self, deadline: Instant) -> Result<(), Failure> {
        let Some(mut body) = self.body.take() else {
            return Ok(());
        };
        let mut read = 0usize;
        while read < MAX_BODY_BYTES {
            let frame = timeout_at(deadline, self.driver.with(body.frame())).await;
            match frame {
                Err(_elapsed) => {
                    return Err(Failure::new(
                        ErrorKind::TimeoutBody,
                        "the body did not end before the timeout",
                    ));
                }
                Ok(None) => return Ok(()),
                Ok(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    read = read.saturating_add(length);
                }
                Ok(Some(Err(error))) => return self.body_failure(&error),
            }
        }
        Ok(())
    }

    /// What hyper lets pass and a careful reader does not.
    fn check_head(&self, head: &http::response::Parts, protocol: Protocol) -> Result<(), Failure> {
        let broken = |what: &str| Err(Failure::new(ErrorKind::HttpProtocol, what));
        if head.headers.len() > MAX_HEADERS {
            return Err(Failure::new(
                ErrorKind::HeadersTooLarge,
                "the answer has more than 100 headers",
            ));
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return broken("the server switched protocols without being asked");
        }
        if protocol == Protocol::Http2 {
            return match list_bytes(&head.headers) {
                0..=MAX_HEADER_LIST_BYTES => Ok(()),
                _ => Err(Failure::http2_headers_too_large()),
            };
        }
        if let Some(failure) = self.broken_head() {
            return Err(failure);
        }
        let has = |name| head.headers.contains_key(name);
        if has(header::CONTENT_LENGTH) && has(header::TRANSFER_ENCODING) {
            return broken("the answer has both Content-Length and Transfer-Encoding");
        }
        Ok(())
    }

    /// What the lines of an HTTP/1 head gave away, whatever hyper made of them.
    fn broken_head(&self) -> Option<Failure> {
        let what = if self.seen.bare_line_feed() {
            "a header line of the answer does not end with CR LF"
        } else if self.seen.too_many_blank_lines() {
            "the answer begins with blank lines"
        } else {
            return None;
        };
        Some(Failure::new(ErrorKind::HttpProtocol, what))
    }

    /// The connection often knows better than the request why it broke.
    fn failure(&self, error: &hyper::Error) -> Failure {
        if let Sender::Http2(_) = self.sender {
            return Failure::http2(&self.seen);
        }
        if let Some(failure) = self.broken_head() {
            return failure;
        }
        match &self.driver.end {
            Some(Err(connection)) if error.is_canceled() || error.is_closed() => {
                Failure::http(connection, &self.seen)
            }
            _ => Failure::http(error, &self.seen),
        }
    }

    fn body_failure(&self, error: &hyper::Error) -> Result<(), Failure> {
        if find::<ReadLimitReached>(error).is_some() || self.seen.end() == Some(&End::ReadLimit) {
            return Ok(()); // as much as is ever read
        }
        let io = find::<io::Error>(error).map(io::Error::kind);
        if io == Some(io::ErrorKind::UnexpectedEof) && !self.is_delimited {
            return Ok(()); // many servers end TLS without a close_notify
        }
        // hyper reports a bad chunk as bad input; rustls uses the same kinds for a broken record.
        let is_bad_input = matches!(
            io,
            Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        ) && find::<rustls::Error>(error).is_none();
        if error.is_parse() || is_bad_input {
            return Err(Failure::new(
                ErrorKind::HttpProtocol,
                "the body's chunks are not valid HTTP",
            ));
        }
        if let Some(code) = self.seen.frames().reset {
            let code = code_name(code);
            return Err(Failure::new(
                ErrorKind::BodyIncomplete,
                format!("the server ended the body early with RST_STREAM ({code})"),
            ));
        }
        Err(Failure::new(
            ErrorKind::BodyIncomplete,
            "the connection ended before the body was complete",
        ))
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

fn list_bytes(headers: &HeaderMap) -> usize {
    const EACH: usize = 32;
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + EACH
    };
    headers.iter().map(field).sum()
}

fn no_first_byte() -> Failure {
    Failure::new(ErrorKind::TimeoutFirstByte, "no answer before the timeout")
}

/// One GET that asks for nothing but the plain answer, once.
fn build(
    url: &Url,
    user_agent: &HeaderValue,
    protocol: Protocol,
) -> Result<Request<Empty<Bytes>>, Failure> {
    let target = match protocol {
        // Origin form: hyper writes what it gets.
        Protocol::Http1 => &url[Position::BeforePath..Position::AfterQuery],
        Protocol::Http2 => &url[..Position::AfterQuery],
    };
    let mut headers = HeaderMap::with_capacity(HEADERS);
    if protocol == Protocol::Http1 {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let host = HeaderValue::from_str(host).map_err(|_not_visible| unwritable())?;
        headers.insert(header::HOST, host);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::USER_AGENT, user_agent.clone());
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::try_from(target).map_err(|_no_uri| unwritable())?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn unwritable() -> Failure {
    Failure::internal("the URL can't be written as a request")
}

/// The connection's own work, done while something else is awaited.
struct Driver {
    work: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
    end: Option<Result<(), hyper::Error>>,
}

impl Driver {
    fn new(work: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) -> Self {
        Self {
            work: Box::pin(work),
            end: None,
        }
    }

    /// Drives the connection until `wanted` is there. Once the connection has ended, `wanted` ends by itself.
    async fn with<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = std::pin::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                output = &mut wanted => return output,
                end = &mut self.work, if self.end.is_none() => self.end = Some(end),
            }
        }
    }
}

/// What HTTP/2 spawns for one connection; all of it is aborted when this is dropped.
#[derive(Debug, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Spawns into a [`Tasks`].
#[derive(Debug, Clone)]
struct TaskExecutor(std::sync::Weak<Mutex<JoinSet<()>>>);

impl TaskExecutor {
    fn of(tasks: Option<&Tasks>) -> Self {
        Self(tasks.map_or_else(std::sync::Weak::new, |tasks| Arc::downgrade(&tasks.0)))
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for TaskExecutor {
    fn execute(&self, task: F) {
        // Gone: the probe is over, and so is what it would have spawned.
        if let Some(tasks) = self.0.upgrade() {
            tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .spawn(task);
        }
    }
}
