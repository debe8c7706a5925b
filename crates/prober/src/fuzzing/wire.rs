//! A server on no network. The first three bytes of an input say how it behaves, the rest is what it sends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What stands between what is sent over one connection and over the next.
const NEXT_CONNECTION: &[u8] = b"--next--";
/// The third byte of an input counts in these: so that some servers are too slow and most are not.
const PAUSE_UNIT: Duration = Duration::from_millis(5);
/// An endless stream in single bytes shows nothing that a short one does not, and takes long.
const ENDLESS_PIECE: u8 = 0x40;
/// How much of what a probe wrote is kept to be looked at: more than the longest request.
const KEPT_BYTES: usize = 8 * 1024;
/// Of an HTTP/2 connection's beginning.
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS_FRAME: u8 = 1;

/// How a server behaves, beside what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// HTTP/2, where a target speaks HTTP.
    pub(super) is_http2: bool,
    /// The service expects a redirect.
    pub(super) expects_redirect: bool,
    end: End,
    /// Says everything before it is asked.
    is_early: bool,
    /// Closes as TLS closes without a goodbye, and takes few bytes at once.
    is_rude: bool,
    /// At most so many bytes come at once; 0: as many as are asked for.
    piece: u8,
    pause: Duration,
}

/// What comes after everything was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
    Silence,
    /// It says the same again, without end.
    Repeat,
}

impl Manner {
    /// Splits an input; `None` where it is too short to say how.
    pub(super) fn of(input: &[u8]) -> Option<(Self, &[u8])> {
        let ([how, piece, pause], said) = input.split_first_chunk()?;
        let is = |bit: u8| how >> bit & 1 == 1;
        let end = match how >> 1 & 3 {
            0 => End::Close,
            1 => End::Reset,
            2 => End::Silence,
            _ => End::Repeat,
        };
        let manner = Self {
            is_http2: is(0),
            expects_redirect: is(5),
            end,
            is_early: is(3),
            is_rude: is(4),
            piece: match (*piece, end) {
                (piece @ 1.., End::Repeat) => piece | ENDLESS_PIECE,
                (piece, _) => piece,
            },
            pause: PAUSE_UNIT * u32::from(*pause),
        };
        Some((manner, said))
    }

    /// All that a server of this manner sends, as far as anybody could want to read it.
    pub(super) fn stream(&self, said: &[u8]) -> Vec<u8> {
        said.repeat(if self.end == End::Repeat { 3 } else { 1 })
    }
}

/// What is sent over the connection of each hop; the last one over all that follow.
pub(super) fn connections(said: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = said;
    let marks = |bytes: &[u8]| {
        bytes
            .windows(NEXT_CONNECTION.len())
            .position(|at| at == NEXT_CONNECTION)
    };
    while let Some((one, tail)) = marks(rest).and_then(|end| rest.split_at_checked(end)) {
        found.push(one);
        rest = tail.strip_prefix(NEXT_CONNECTION).unwrap_or_default();
    }
    found.push(rest);
    found
}

/// What a connection tells when it is over.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The beginning of what the probe wrote.
    pub(super) heard: Vec<u8>,
    /// How much it wrote in all.
    pub(super) heard_bytes: usize,
    /// How much it read.
    pub(super) told_bytes: usize,
}

/// What opens the server's mouth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// Anything: the first message of a TLS handshake.
    AnyByte,
    /// A request in HTTP/1.
    BlankLine,
    /// A request in HTTP/2.
    HeadersFrame,
}

impl Cue {
    fn is_in(self, heard: &[u8]) -> bool {
        match self {
            Self::AnyByte => !heard.is_empty(),
            Self::BlankLine => heard.ends_with(b"\r\n\r\n"),
            Self::HeadersFrame => has_headers_frame(heard),
        }
    }
}

fn has_headers_frame(heard: &[u8]) -> bool {
    let mut rest = heard.get(PREFACE_BYTES..).unwrap_or_default();
    while let Some(([a, b, c, kind, ..], tail)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(after) = tail.get(length..) else {
            return false;
        };
        if *kind == HEADERS_FRAME {
            return true;
        }
        rest = after;
    }
    false
}

/// One connection. Whoever holds [`Wire::log`] sees that it is dropped.
#[derive(Debug)]
pub(super) struct Wire {
    manner: Manner,
    cue: Cue,
    said: Vec<u8>,
    at: usize,
    chance: u32,
    pausing: Option<Pin<Box<Sleep>>>,
    waiting: Option<Waker>,
    is_asked: bool,
    is_reset: bool,
    log: Arc<Mutex<Log>>,
}

impl Wire {
    pub(super) fn new(manner: Manner, cue: Cue, said: &[u8]) -> Self {
        Self {
            manner,
            cue,
            said: said.to_vec(),
            at: 0,
            chance: u32::from(manner.piece) + 1,
            pausing: None,
            waiting: None,
            is_asked: manner.is_early,
            is_reset: false,
            log: Arc::default(),
        }
    }

    pub(super) fn log(&self) -> Arc<Mutex<Log>> {
        self.log.clone()
    }

    /// The sizes of pieces: the same for the same input.
    fn next_piece(&mut self) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 17;
        self.chance ^= self.chance << 5;
        match u32::from(self.manner.piece) {
            0 => usize::MAX,
            most => usize::try_from(1 + self.chance % most).unwrap_or(1),
        }
    }

    fn end(&mut self) -> Poll<io::Result<()>> {
        match self.manner.end {
            End::Close if self.manner.is_rude => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            End::Close => Poll::Ready(Ok(())),
            End::Reset => {
                self.is_reset = true;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            // Nobody will ever wake the probe but its own deadline.
            End::Silence | End::Repeat => Poll::Pending,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_asked {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.at >= self.said.len() && self.manner.end == End::Repeat {
            self.at = 0;
        }
        let wanted = self.next_piece().min(buf.remaining());
        let from = self.at;
        let to = from.saturating_add(wanted).min(self.said.len());
        if from == to {
            return self.end();
        }
        if !self.manner.pause.is_zero() {
            let pause = self.manner.pause;
            let pausing = self.pausing.get_or_insert_with(|| Box::pin(sleep(pause)));
            std::task::ready!(pausing.as_mut().poll(cx));
            self.pausing = None;
        }
        buf.put_slice(self.said.get(from..to).unwrap_or_default());
        self.at = to;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.told_bytes = log.told_bytes.saturating_add(to - from);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = if self.manner.is_rude { 7 } else { usize::MAX };
        let taken = buf.get(..most).unwrap_or(buf);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.heard_bytes = log.heard_bytes.saturating_add(taken.len());
        let room = KEPT_BYTES.saturating_sub(log.heard.len());
        let kept = taken.get(..room).unwrap_or(taken);
        log.heard.extend_from_slice(kept);
        let is_asked = self.is_asked || self.cue.is_in(&log.heard);
        drop(log);
        self.is_asked = is_asked;
        if is_asked && let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
