//! Streams that count and watch: how much came in, what the first byte was, when the last byte went out.
//!
//! Two layers share one [`Seen`]: [`Raw`] sits on the socket and stops a flood whatever layer it hides in (TLS records,
//! `1xx` answers, chunk extensions, trailers); [`Plain`] sits where HTTP is readable.

mod frames;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use frames::Frames;
pub(crate) use frames::{FramesSeen, code_name};

use crate::verdict::find;

/// Reading stops once this much has come in; the last read can add at most [`LARGEST_READ`], so one probe never reads
/// more than 256 KiB from the network.
pub(crate) const READ_STOP: u64 = 256 * 1024 - LARGEST_READ;
/// hyper reads into at most 32 KiB (its buffer is bounded), rustls into less.
const LARGEST_READ: u64 = 32 * 1024;

/// The peer sent more than a probe reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read limit reached")]
pub(crate) struct ReadLimitReached;

/// Bytes read from the network over all hops of one probe.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadBudget(Arc<AtomicU64>);

impl ReadBudget {
    /// How much was read so far.
    pub(crate) fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What passed over one connection.
#[derive(Debug)]
pub(crate) struct Seen {
    opened: Instant,
    /// 256 while nothing has come.
    first_byte: AtomicU16,
    any_answer: AtomicBool,
    bare_line_feed: AtomicBool,
    too_many_blank_lines: AtomicBool,
    last_write_us: AtomicU64,
    frames: Mutex<FramesSeen>,
    end: OnceLock<End>,
}

/// How a connection of HTTP/2 ended; its library does not tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Closed,
    Reset,
    ReadLimit,
    Tls(rustls::Error),
}

impl End {
    fn of(error: &io::Error) -> Option<Self> {
        if find::<ReadLimitReached>(error).is_some() {
            return Some(Self::ReadLimit);
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            return Some(Self::Tls(tls.clone()));
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Some(Self::Closed), // no goodbye of TLS
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected => Some(Self::Reset),
            _ => None,
        }
    }
}

/// No byte has this value.
const NOTHING_YET: u16 = 256;

impl Seen {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            first_byte: AtomicU16::new(NOTHING_YET),
            any_answer: AtomicBool::new(false),
            bare_line_feed: AtomicBool::new(false),
            too_many_blank_lines: AtomicBool::new(false),
            last_write_us: AtomicU64::new(0),
            frames: Mutex::default(),
            end: OnceLock::new(),
        }
    }

    /// The first byte on the wire, under TLS.
    pub(crate) fn first_byte(&self) -> Option<u8> {
        u8::try_from(self.first_byte.load(Ordering::Relaxed)).ok()
    }

    /// The frames of HTTP/2.
    pub(crate) fn frames(&self) -> FramesSeen {
        *self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a connection of HTTP/2 ended, as far as it has.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    /// Whether a byte of an HTTP answer came.
    pub(crate) fn any_answer(&self) -> bool {
        self.any_answer.load(Ordering::Relaxed)
    }

    /// Whether a line of an HTTP/1 head ended without its carriage return.
    pub(crate) fn bare_line_feed(&self) -> bool {
        self.bare_line_feed.load(Ordering::Relaxed)
    }

    /// Whether more than [`MAX_BLANK_LINES`] came before an HTTP/1 head.
    pub(crate) fn too_many_blank_lines(&self) -> bool {
        self.too_many_blank_lines.load(Ordering::Relaxed)
    }

    /// When the last byte of HTTP was handed to the socket.
    pub(crate) fn last_write(&self) -> Instant {
        self.opened + std::time::Duration::from_micros(self.last_write_us.load(Ordering::Relaxed))
    }

    fn note_write(&self) {
        let since = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_write_us.store(since, Ordering::Relaxed);
    }
}

/// A socket whose incoming bytes count.
#[derive(Debug)]
pub(crate) struct Raw<S> {
    inner: S,
    budget: ReadBudget,
    seen: Arc<Seen>,
}

impl<S> Raw<S> {
    pub(crate) fn new(inner: S, budget: ReadBudget) -> Self {
        Self {
            inner,
            budget,
            seen: Arc::new(Seen::new()),
        }
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Raw<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.used() >= READ_STOP {
            return Poll::Ready(Err(io::Error::other(ReadLimitReached)));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        if let Some(first) = new.first() {
            let length = u64::try_from(new.len()).unwrap_or(u64::MAX);
            self.budget.0.fetch_add(length, Ordering::Relaxed);
            if self.seen.first_byte().is_none() {
                self.seen
                    .first_byte
                    .store(u16::from(*first), Ordering::Relaxed);
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Raw<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A stream of readable HTTP that is watched.
#[derive(Debug)]
pub(crate) struct Plain<S> {
    inner: S,
    seen: Arc<Seen>,
    head: Option<HeadLines>,
    frames: Option<Frames>,
}

impl<S> Plain<S> {
    /// Watches HTTP/1, whose lines must end with CR LF.
    pub(crate) fn http1(inner: S, seen: Arc<Seen>) -> Self {
        Self {
            inner,
            seen,
            head: Some(HeadLines::default()),
            frames: None,
        }
    }

    /// Watches HTTP/2, which has frames.
    pub(crate) fn http2(inner: S, seen: Arc<Seen>) -> Self {
        Self {
            inner,
            seen,
            head: None,
            frames: Some(Frames::default()),
        }
    }

    /// Remembers how HTTP/2 went on.
    fn note_frames(&mut self, new: &[u8], is_full: bool, error: Option<&io::Error>) {
        let Some(frames) = &mut self.frames else {
            return;
        };
        frames.read(new);
        let seen = frames.seen();
        *self
            .seen
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = seen;
        let end = match error {
            Some(error) => End::of(error),
            None => (new.is_empty() && !is_full).then_some(End::Closed),
        };
        if let Some(end) = end {
            self.seen.end.get_or_init(|| end);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Plain<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self
            .head
            .as_ref()
            .is_some_and(|head| head.state.is_broken())
        {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        match &polled {
            Poll::Ready(Ok(())) => self.note_frames(new, buf.remaining() == 0, None),
            Poll::Ready(Err(error)) => self.note_frames(&[], false, Some(error)),
            Poll::Pending => {}
        }
        if !new.is_empty() {
            self.seen.any_answer.store(true, Ordering::Relaxed);
            match self.head.as_mut().map(|head| head.read(new)) {
                Some(HeadState::BareLineFeed) => {
                    self.seen.bare_line_feed.store(true, Ordering::Relaxed);
                }
                Some(HeadState::TooManyBlankLines) => {
                    let seen = &self.seen.too_many_blank_lines;
                    seen.store(true, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Plain<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        match &polled {
            Poll::Ready(Ok(_)) => self.seen.note_write(),
            Poll::Ready(Err(error)) => self.note_frames(&[], false, Some(error)),
            Poll::Pending => {}
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Follows the lines of an HTTP/1 head up to its blank line. Blank lines may come before it, and interim answers
/// (`1xx`), whose heads are followed too.
#[derive(Debug, Default)]
struct HeadLines {
    state: HeadState,
    previous: u8,
    line_length: usize,
    line: usize,
    blank_lines: usize,
    is_interim: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum HeadState {
    #[default]
    Reading,
    Done,
    BareLineFeed,
    TooManyBlankLines,
}

impl HeadState {
    /// Nothing that comes can make a good answer of it any more.
    fn is_broken(self) -> bool {
        matches!(self, Self::BareLineFeed | Self::TooManyBlankLines)
    }
}

/// Blank lines that may come before a head. hyper skips them, but reads all of them anew with each piece that comes:
/// a server that sends nothing else, in small pieces, would cost a probe a second of computing.
const MAX_BLANK_LINES: usize = 4;

/// Where the first digit of a status stands in `HTTP/1.1 200 OK`.
const STATUS_AT: usize = 9;

impl HeadLines {
    fn read(&mut self, bytes: &[u8]) -> HeadState {
        if self.state != HeadState::Reading {
            return self.state;
        }
        for byte in bytes {
            match (*byte, self.previous) {
                (b'\n', b'\r') => self.end_line(),
                (b'\n', _) => self.state = HeadState::BareLineFeed,
                (byte, _) => {
                    if (self.line, self.line_length) == (0, STATUS_AT) {
                        self.is_interim = byte == b'1';
                    }
                    self.line_length = self.line_length.saturating_add(1);
                }
            }
            if self.state != HeadState::Reading {
                break;
            }
            self.previous = *byte;
        }
        self.state
    }

    fn end_line(&mut self) {
        let is_blank = self.line_length <= 1;
        self.line_length = 0;
        match (is_blank, self.line) {
            (false, line) => self.line = line.saturating_add(1),
            (true, 0) if self.blank_lines >= MAX_BLANK_LINES => {
                self.state = HeadState::TooManyBlankLines;
            }
            (true, 0) => self.blank_lines = self.blank_lines.saturating_add(1),
            (true, _) if self.is_interim => {
                (self.line, self.blank_lines, self.is_interim) = (0, 0, false);
            }
            (true, _) => self.state = HeadState::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn one_probe_reads_no_more_than_256_kib_over_all_its_connections() {
        let budget = ReadBudget::default();
        let mut buffer = vec![0; usize::try_from(LARGEST_READ).unwrap()];
        let mut total = 0;
        // The first one ends by itself, the second is endless.
        let mut one = Raw::new(tokio::io::repeat(b'x').take(100_000), budget.clone());
        let mut other = Raw::new(tokio::io::repeat(b'x'), budget.clone());
        loop {
            match one.read(&mut buffer).await.unwrap() {
                0 => break,
                more => total += more,
            }
        }
        let end = loop {
            match other.read(&mut buffer).await {
                Ok(more) => total += more,
                Err(error) => break error,
            }
        };
        assert!(crate::verdict::find::<ReadLimitReached>(&end).is_some());
        let total = u64::try_from(total).unwrap();
        assert_eq!(budget.used(), total);
        assert!((READ_STOP..=256 * 1024).contains(&total), "{total}");
    }

    #[test]
    fn a_bare_line_feed_is_seen_in_the_head_and_ignored_in_the_body() {
        let state = |text: &str| HeadLines::default().read(text.as_bytes());
        assert_eq!(state("HTTP/1.1 200 OK\r\nA: b\r\n"), HeadState::Reading);
        assert_eq!(
            state("HTTP/1.1 200 OK\r\nA: b\r\n\r\na\nb"),
            HeadState::Done
        );
        assert_eq!(
            state("HTTP/1.1 200 OK\nA: b\r\n\r\n"),
            HeadState::BareLineFeed
        );
        assert_eq!(
            state("HTTP/1.1 200 OK\r\nA: b\r\n\n"),
            HeadState::BareLineFeed
        );
        assert_eq!(
            state("\r\n\r\nHTTP/1.1 200 OK\nA: b\r\n\r\n"),
            HeadState::BareLineFeed,
            "behind blank lines"
        );
        assert_eq!(
            state("HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\n\n"),
            HeadState::BareLineFeed,
            "behind an interim answer"
        );
        assert_eq!(
            state("HTTP/1.1 100 Go\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\na\n"),
            HeadState::Done
        );
        assert_eq!(state(&"\r\n".repeat(4)), HeadState::Reading);
        assert_eq!(state(&"\r\n".repeat(5)), HeadState::TooManyBlankLines);
        let mut lines = HeadLines::default();
        assert_eq!(lines.read(b"HTTP/1.1 200 OK\r"), HeadState::Reading);
        assert_eq!(
            lines.read(b"\n\r\n"),
            HeadState::Done,
            "split between two reads"
        );
    }
}
