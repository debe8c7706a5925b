//! HTTP/1: a request is written, and its answer read as strictly as a verdict needs it. One buffer holds what came; the
//! bytes of a body are counted and forgotten.
//!
//! It is written here rather than taken from a library because it is what a prober does all day: a client for anything
//! else keeps the connection, offers the body, and moves every byte and every field through more hands than a probe has
//! use for.

mod body;
mod chunks;
mod head;
mod lines;

use guard::Alarm;
use std::io;

use http::{HeaderValue, StatusCode};
use models::probe::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use url::{Position, Url};

use crate::exchange::{self, Head, MAX_BODY_BYTES, Socket};
use crate::meter::End;
use crate::verdict::Failure;
use body::{BadChunks, Body};
use head::Fault;
use lines::{Found, Lines};

/// Status line and headers of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Room for what most answers begin with.
const FIRST_ROOM: usize = 4 * 1024;

/// A connection that speaks HTTP/1.
pub(crate) struct Http1 {
    stream: Box<dyn Socket>,
    /// What came and was not taken yet. It grows where that is not enough, up to [`MAX_HEAD_BYTES`].
    received: Vec<u8>,
    has_begun: bool,
    body: Option<Body>,
    written_at: Instant,
}

impl std::fmt::Debug for Http1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http1").finish_non_exhaustive()
    }
}

impl Http1 {
    pub(crate) fn new(stream: Box<dyn Socket>, now: Instant) -> Self {
        Self {
            stream,
            received: Vec::new(),
            has_begun: false,
            body: None,
            written_at: now,
        }
    }

    pub(crate) fn written_at(&self) -> Instant {
        self.written_at
    }

    /// See [`exchange::Exchange::request`].
    pub(crate) async fn request(
        &mut self,
        url: &Url,
        user_agent: &HeaderValue,
        alarm: &mut Alarm,
    ) -> Result<Head, Failure> {
        let request = request(url, user_agent).ok_or_else(exchange::unwritable)?;
        let answered = alarm.limit(self.ask(&request)).await;
        let head = answered.ok_or_else(exchange::no_first_byte)??;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(exchange::switched_protocols());
        }
        self.body = Some(Body::new(head.body));
        Ok(Head {
            status: head.status,
            location: head.location,
            at: Instant::now(),
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<head::Head, Failure> {
        let written = match self.stream.write_all(request).await {
            Ok(()) => self.stream.flush().await,
            failed => failed,
        };
        written.map_err(|error| self.broke_off(&error))?;
        self.written_at = Instant::now();
        loop {
            let head = self.read_head().await?;
            let status = head.status;
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(head);
            }
        }
    }

    /// The next head, which is taken out of what came.
    async fn read_head(&mut self) -> Result<head::Head, Failure> {
        let mut lines = Lines::default();
        let mut looked_at = None;
        loop {
            match lines.follow(&self.received) {
                Found::Head(end) => {
                    let whole = self.received.get(..end).unwrap_or_default();
                    let head = head::read(whole).map_err(unusable)?;
                    self.received.drain(..end);
                    return Ok(head);
                }
                Found::BareLineFeed => {
                    head::can_begin(&self.received).map_err(unusable)?; // else it is no header line
                    return Err(broken(
                        "a header line of the answer does not end with CR LF",
                    ));
                }
                Found::TooManyBlankLines => {
                    return Err(broken("the answer begins with blank lines"));
                }
                Found::Part if self.received.len() >= MAX_HEAD_BYTES => {
                    return Err(Failure::head_too_large());
                }
                // Once for each line, so that a server who sends single bytes does not make work of it.
                Found::Part if looked_at != Some(lines.count()) && !self.received.is_empty() => {
                    head::can_begin(&self.received).map_err(unusable)?;
                    looked_at = Some(lines.count());
                }
                Found::Part => {}
            }
            match self.receive().await {
                Ok(0) => return Err(Failure::http1(Some(&End::Closed), self.has_begun)),
                Ok(_) => self.has_begun = true,
                Err(error) => return Err(self.broke_off(&error)),
            }
        }
    }

    /// See [`exchange::Exchange::read_body`].
    pub(crate) async fn read_body(&mut self, alarm: &mut Alarm) -> Result<(), Failure> {
        let Some(body) = self.body.take() else {
            return Ok(());
        };
        let read = alarm.limit(self.read_all_of(body)).await;
        read.unwrap_or_else(|| Err(exchange::body_too_late()))
    }

    async fn read_all_of(&mut self, mut body: Body) -> Result<(), Failure> {
        loop {
            match body.take(&self.received) {
                Ok(true) => return Ok(()),
                Ok(false) if body.read() >= MAX_BODY_BYTES => return Ok(()),
                Ok(false) => self.make_room(),
                Err(BadChunks) => return Err(broken("the body's chunks are not valid HTTP")),
            }
            let is_over = match self.receive().await {
                Ok(received) => received == 0,
                // Many servers end TLS without a close_notify.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
                Err(error) if End::of(&error) == Some(End::ReadLimit) => return Ok(()), // as much as is ever read
                Err(_) => return Err(exchange::body_cut_off()),
            };
            if is_over {
                let is_whole = body.may_end();
                return is_whole.then_some(()).ok_or_else(exchange::body_cut_off);
            }
        }
    }

    /// Forgets what was taken of a body. Where a read filled all there is, the next may take twice as much.
    fn make_room(&mut self) {
        let (used, room) = (self.received.len(), self.received.capacity());
        self.received.clear();
        if used == room && room < MAX_HEAD_BYTES {
            self.received.reserve_exact(room.saturating_mul(2));
        }
    }

    /// Waits for more; 0 at the end of the connection.
    async fn receive(&mut self) -> io::Result<usize> {
        let (used, room) = (self.received.len(), self.received.capacity());
        if used == room {
            self.received.reserve_exact(room.max(FIRST_ROOM));
        }
        self.stream.read_buf(&mut self.received).await
    }

    fn broke_off(&self, error: &io::Error) -> Failure {
        Failure::http1(End::of(error).as_ref(), self.has_begun)
    }
}

fn unusable(fault: Fault) -> Failure {
    match fault {
        Fault::NotHttp => broken("the answer is not valid HTTP"),
        Fault::TooManyHeaders => exchange::too_many_headers(),
        Fault::LengthAndEncoding => {
            broken("the answer has both Content-Length and Transfer-Encoding")
        }
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(ErrorKind::HttpProtocol, what)
}

/// One GET that asks for nothing but the plain answer, once. `None` where the URL holds what would break its line.
fn request(url: &Url, user_agent: &HeaderValue) -> Option<Vec<u8>> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    if !target
        .bytes()
        .chain(host.bytes())
        .all(|byte| byte.is_ascii_graphic())
    {
        return None;
    }
    let parts: [&[u8]; 7] = [
        b"GET ",
        target.as_bytes(),
        b" HTTP/1.1\r\nhost: ",
        host.as_bytes(),
        b"\r\nconnection: close\r\nuser-agent: ",
        user_agent.as_bytes(),
        b"\r\naccept: */*\r\naccept-encoding: identity\r\n\r\n",
    ];
    Some(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_body_is_read_in_larger_pieces_and_never_in_larger_ones_than_are_counted_on() {
        let (near, mut far) = tokio::io::duplex(128 * 1024);
        let mut http1 = Http1::new(Box::new(near), Instant::now());
        let mut alarm = Alarm::at(Instant::now() + std::time::Duration::from_secs(10));
        let url = Url::parse("http://example.com/").unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        far.write_all(&[head.as_slice(), &[b'x'; 100_000]].concat())
            .await
            .unwrap();
        let agent = HeaderValue::from_static("test");
        http1.request(&url, &agent, &mut alarm).await.unwrap();
        assert_eq!(http1.received.capacity(), FIRST_ROOM);
        http1.read_body(&mut alarm).await.unwrap();
        assert_eq!(http1.received.capacity(), MAX_HEAD_BYTES);
    }
}
