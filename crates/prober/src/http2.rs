//! HTTP/2, where the handshake chose it. A library speaks it; what it does not tell is learned from its frames
//! ([`crate::meter`]).
//!
//! The connection is driven here, inside the probe: when the probe ends or is dropped, so does the socket.

use guard::Alarm;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use models::probe::ErrorKind;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::{Position, Url};

use crate::exchange::{self, Head, MAX_BODY_BYTES, MAX_HEADERS, Socket};
use crate::meter::{End, Framed, ReadLimitReached, Seen, code_name};
use crate::verdict::{Failure, find};

/// Headers of an answer, decompressed, each with 32 bytes more (RFC 9113, section 10.5.1).
const MAX_HEADER_LIST_BYTES: usize = 16 * 1024;
/// Those of `:status`, which is counted with the others.
const STATUS_BYTES: usize = 42;
/// What the library stores of them: more, because past this it says nothing but that a protocol was broken.
const STORED_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// Flow control: never more on the way than is read of a body.
const WINDOW_BYTES: u32 = 64 * 1024;

/// A connection that speaks HTTP/2.
pub(crate) struct Http2 {
    driver: Driver,
    sender: http2::SendRequest<Empty<Bytes>>,
    seen: Arc<Seen>,
    /// Keeps what the library spawned; dropped with the probe.
    _tasks: Tasks,
    body: Option<Incoming>,
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Http2 {
    pub(crate) async fn open(
        stream: Box<dyn Socket>,
        seen: Arc<Seen>,
        alarm: &mut Alarm,
    ) -> Result<Self, Failure> {
        let tasks = Tasks::default();
        let opening = http2::Builder::new(TaskExecutor::of(&tasks))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(STORED_HEADER_LIST_BYTES)
            .handshake(TokioIo::new(Framed::new(stream, seen.clone())));
        let opened = alarm.limit(opening).await;
        let opened = opened.ok_or_else(exchange::no_first_byte)?;
        let (sender, connection) = opened.map_err(|_unsaid| Failure::http2(&seen))?;
        Ok(Self {
            driver: Driver::new(connection),
            sender,
            seen,
            _tasks: tasks,
            body: None,
        })
    }

    /// See [`exchange::Exchange::request`].
    pub(crate) async fn request(
        &mut self,
        url: &Url,
        user_agent: &HeaderValue,
        alarm: &mut Alarm,
    ) -> Result<Head, Failure> {
        let request = request(url, user_agent).ok_or_else(exchange::unwritable)?;
        self.seen.request_comes();
        let asking = self.driver.with(self.sender.send_request(request));
        let answered = alarm.limit(asking).await;
        let at = Instant::now();
        let answer = answered.ok_or_else(exchange::no_first_byte)?;
        let answer = answer.map_err(|_unsaid| Failure::http2(&self.seen))?;
        let (mut parts, body) = answer.into_parts();
        check(&parts)?;
        self.body = Some(body);
        Ok(Head {
            status: parts.status,
            location: parts.headers.remove(header::LOCATION),
            at,
        })
    }

    /// When nothing of the request was written, now.
    pub(crate) fn written_at(&self) -> Instant {
        self.seen.request_written().unwrap_or_else(Instant::now)
    }

    /// See [`exchange::Exchange::read_body`].
    pub(crate) async fn read_body(&mut self, alarm: &mut Alarm) -> Result<(), Failure> {
        let Some(mut body) = self.body.take() else {
            return Ok(());
        };
        let mut read = 0u64;
        while read < MAX_BODY_BYTES {
            let frame = alarm.limit(self.driver.with(body.frame())).await;
            match frame.ok_or_else(exchange::body_too_late)? {
                None => return Ok(()),
                Some(Ok(frame)) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    read = read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                }
                Some(Err(error)) => return self.body_failure(&error),
            }
        }
        Ok(())
    }

    fn body_failure(&self, error: &hyper::Error) -> Result<(), Failure> {
        if find::<ReadLimitReached>(error).is_some() || self.seen.end() == Some(&End::ReadLimit) {
            return Ok(()); // as much as is ever read
        }
        let frames = self.seen.frames();
        let early = |with: &str, code| {
            let code = code_name(code);
            let said = format!("the server ended the body early with {with} ({code})");
            Failure::new(ErrorKind::BodyIncomplete, said)
        };
        Err(match (frames.reset, frames.go_away) {
            (Some(code), _) => early("RST_STREAM", code),
            (None, Some(code)) => early("GOAWAY", code),
            (None, None) if frames.ended => Failure::new(
                ErrorKind::BodyIncomplete,
                "the body is not as long as the server had announced",
            ),
            (None, None) if self.seen.end().is_some() => exchange::body_cut_off(),
            // It was the library that ended it.
            (None, None) => Failure::new(
                ErrorKind::HttpProtocol,
                "the server broke the HTTP/2 protocol in the middle of its answer",
            ),
        })
    }
}

/// What the library lets pass and a careful reader does not.
fn check(head: &http::response::Parts) -> Result<(), Failure> {
    if head.headers.len() > MAX_HEADERS {
        return Err(exchange::too_many_headers());
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(exchange::switched_protocols());
    }
    match STATUS_BYTES + list_bytes(&head.headers) {
        0..=MAX_HEADER_LIST_BYTES => Ok(()),
        _ => Err(Failure::http2_headers_too_large()),
    }
}

fn list_bytes(headers: &HeaderMap) -> usize {
    const EACH: usize = 32;
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + EACH
    };
    headers.iter().map(field).sum()
}

/// One GET that asks for nothing but the plain answer. `None` where the URL can't be written.
fn request(url: &Url, user_agent: &HeaderValue) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::try_from(&url[..Position::AfterQuery]).ok()?;
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, user_agent.clone());
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let identity = HeaderValue::from_static("identity");
    headers.insert(header::ACCEPT_ENCODING, identity);
    Some(request)
}

/// The connection's own work, done while something else is awaited.
struct Driver {
    work: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
    has_ended: bool,
}

impl Driver {
    fn new(work: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) -> Self {
        Self {
            work: Box::pin(work),
            has_ended: false,
        }
    }

    /// Drives the connection until `wanted` is there. Once the connection has ended, `wanted` ends by itself.
    async fn with<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = std::pin::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                output = &mut wanted => return output,
                _end = &mut self.work, if !self.has_ended => self.has_ended = true,
            }
        }
    }
}

/// What the library spawns for one connection; all of it is aborted when this is dropped.
#[derive(Debug, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Spawns into a [`Tasks`].
#[derive(Debug, Clone)]
struct TaskExecutor(std::sync::Weak<Mutex<JoinSet<()>>>);

impl TaskExecutor {
    fn of(tasks: &Tasks) -> Self {
        Self(Arc::downgrade(&tasks.0))
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
