//! Streams that count and watch: how much came in, what the first byte was, what HTTP/2 said by its frames.
//!
//! Two layers share one [`Seen`]: [`Raw`] sits on the socket and stops a flood whatever layer it hides in (TLS records,
//! `1xx` answers, chunk extensions, trailers); [`Framed`] sits where HTTP/2 is readable.

mod frames;
mod hpack;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
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
/// HTTP/1 reads into at most 32 KiB (its buffer is bounded), the library of HTTP/2 and rustls into less.
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
    /// When the request was written, in µs since it was opened; see [`NOT_ASKED`] and [`NOT_WRITTEN`].
    request_us: AtomicU64,
    frames: Mutex<FramesSeen>,
    end: OnceLock<End>,
}

/// How a connection ended before its answer did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Closed,
    Reset,
    ReadLimit,
    Tls(rustls::Error),
}

impl End {
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
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
            request_us: AtomicU64::new(NOT_ASKED),
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

    /// From now on the next write over HTTP/2 carries the request.
    pub(crate) fn request_comes(&self) {
        self.request_us.store(NOT_WRITTEN, Ordering::Relaxed);
    }

    /// When a request over HTTP/2 was handed to the socket; what is written later answers the server's own frames.
    pub(crate) fn request_written(&self) -> Option<Instant> {
        let since = self.request_us.load(Ordering::Relaxed);
        (since < NOT_WRITTEN).then(|| self.opened + std::time::Duration::from_micros(since))
    }

    fn note_write(&self) {
        if self.request_us.load(Ordering::Relaxed) == NOT_WRITTEN {
            let since = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.request_us
                .store(since.min(NOT_WRITTEN - 1), Ordering::Relaxed);
        }
    }
}

/// The request is not made yet.
const NOT_ASKED: u64 = u64::MAX;
/// It is made, and waits to be written.
const NOT_WRITTEN: u64 = u64::MAX - 1;

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

/// A stream of readable HTTP/2 that is watched.
#[derive(Debug)]
pub(crate) struct Framed<S> {
    inner: S,
    seen: Arc<Seen>,
    frames: Frames,
}

impl<S> Framed<S> {
    pub(crate) fn new(inner: S, seen: Arc<Seen>) -> Self {
        Self {
            inner,
            seen,
            frames: Frames::default(),
        }
    }

    /// Remembers how it went on.
    fn note(&mut self, new: &[u8], is_full: bool, error: Option<&io::Error>) {
        self.frames.read(new);
        let seen = self.frames.seen();
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

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.frames.seen().is_too_large() {
            return Poll::Ready(Err(io::Error::other(ReadLimitReached)));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        match &polled {
            Poll::Ready(Ok(())) => self.note(new, buf.remaining() == 0, None),
            Poll::Ready(Err(error)) => self.note(&[], false, Some(error)),
            Poll::Pending => {}
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        match &polled {
            Poll::Ready(Ok(_)) => self.seen.note_write(),
            Poll::Ready(Err(error)) => self.note(&[], false, Some(error)),
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
}
