//! A monitored endpoint: a real HTTP or HTTPS server of 127.0.0.1 that does what the test says,
//! also while it runs, and remembers who asked for what and when.
//!
//! ```text
//! let target = FakeTarget::http().await;           // answers 200 until told otherwise
//! target.answer(Step::status(503));                // from now on
//! target.next([Step::reset(), Step::silence()]);   // the next two requests only
//! target.at("/old", Step::redirect("/new"));       // one path
//! target.stop().await;                             // refuses connections …
//! target.start().await;                            // … and is back on the same port
//!
//! let authority = Authority::new();                // `authority.pem_file()`: PROBE_EXTRA_CA_FILE
//! let target = FakeTarget::https(&authority, Certificate::Good).await;
//! target.present(&authority, Certificate::Expired);
//! ```

mod authority;
mod serve;
mod step;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use authority::{Authority, Certificate};
pub use step::Step;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When its headers were complete.
    pub at: Instant,
    /// `GET`, as a rule.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The whole head in lower case, for a look at headers; empty over HTTP/2.
    pub head: String,
}

/// The server; stops when dropped.
#[derive(Debug)]
pub struct FakeTarget {
    addr: SocketAddr,
    scheme: &'static str,
    script: Arc<Script>,
    server: Mutex<Option<JoinHandle<()>>>,
}

/// What the server reads at every connection and request.
#[derive(Debug, Default)]
pub(crate) struct Script(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    tls: Option<Arc<ServerConfig>>,
    always: Option<Step>,
    paths: HashMap<String, Step>,
    next: VecDeque<Step>,
    connections: usize,
    seen: Vec<Seen>,
}

impl Script {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection; `None` is plain HTTP.
    pub(crate) fn connected(&self) -> Option<Arc<ServerConfig>> {
        let mut lines = self.lines();
        lines.connections += 1;
        lines.tls.clone()
    }

    /// Notes a request and says what to do with it.
    pub(crate) fn asked(&self, seen: Seen) -> Step {
        let mut lines = self.lines();
        let path = seen.path.split('?').next().unwrap_or_default().to_owned();
        lines.seen.push(seen);
        if let Some(step) = lines.next.pop_front() {
            return step;
        }
        let step = lines.paths.get(&path).or(lines.always.as_ref());
        step.cloned().unwrap_or_else(|| Step::status(200))
    }
}

impl FakeTarget {
    /// A plain HTTP server on a free port.
    ///
    /// # Panics
    /// Where no port is to be had.
    pub async fn http() -> Self {
        Self::listen("http", None).await
    }

    /// An HTTPS server on a free port, HTTP/2 and 1.1 by ALPN, that presents `certificate`.
    ///
    /// # Panics
    /// Where no port is to be had.
    pub async fn https(authority: &Authority, certificate: Certificate) -> Self {
        Self::listen("https", Some(authority.server(certificate))).await
    }

    async fn listen(scheme: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let script = Arc::new(Script::default());
        script.lines().tls = tls;
        let server = tokio::spawn(serve::run(listener, Arc::clone(&script)));
        Self {
            addr,
            scheme,
            script,
            server: Mutex::new(Some(server)),
        }
    }

    /// The URL of `path` by address; certificates name it, and `localhost` too.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// Where it listens; as text it is an entry for `PROBE_ALLOW_CIDRS`.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does `step` with every request from now on that nothing else was said about.
    pub fn answer(&self, step: Step) {
        self.script.lines().always = Some(step);
    }

    /// Does `step` with every request for `path` (without its query) from now on.
    pub fn at(&self, path: &str, step: Step) {
        self.script.lines().paths.insert(path.to_owned(), step);
    }

    /// Does these with the next requests, one each, whatever their path.
    pub fn next(&self, steps: impl IntoIterator<Item = Step>) {
        self.script.lines().next.extend(steps);
    }

    /// Presents another certificate from the next connection on.
    ///
    /// # Panics
    /// Where it is a plain HTTP server.
    pub fn present(&self, authority: &Authority, certificate: Certificate) {
        assert_eq!(
            self.scheme, "https",
            "a plain server presents no certificate"
        );
        self.script.lines().tls = Some(authority.server(certificate));
    }

    /// All requests so far, in the order in which their heads were complete.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.script.lines().seen.clone()
    }

    /// How many requests there were for `path` (without its query).
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        let asked = |seen: &&Seen| seen.path.split('?').next() == Some(path);
        self.script.lines().seen.iter().filter(asked).count()
    }

    /// How often somebody connected, handshakes that failed included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.script.lines().connections
    }

    /// Stops listening and ends all connections: the next ones are refused.
    ///
    /// # Panics
    /// Where the server itself failed.
    pub async fn stop(&self) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(server) = server {
            server.abort();
            drop(server.await); // cancelled, as it was told
        }
    }

    /// Listens on the same port again.
    ///
    /// # Panics
    /// Where somebody else has taken the port meanwhile.
    pub async fn start(&self) {
        self.stop().await;
        let listener = TcpListener::bind(self.addr)
            .await
            .expect("the port is still ours");
        let server = tokio::spawn(serve::run(listener, Arc::clone(&self.script)));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }
}

impl Drop for FakeTarget {
    fn drop(&mut self) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(server) = server {
            server.abort();
        }
    }
}

#[cfg(test)]
mod tests;
