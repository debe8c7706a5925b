//! A server on a real socket whose every byte the test writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    scheme: &'static str,
    connections: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Target {
    /// Does `script` with every connection.
    pub(crate) async fn raw<F, W>(script: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self::start("http", script).await
    }

    /// Reads a request and writes this answer to it, then closes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::raw(move |mut stream| {
            let answer = answer.clone();
            async move {
                read_head(&mut stream).await;
                // The probe may have hung up on an answer that is too long.
                drop(stream.write_all(&answer).await);
                drop(stream.shutdown().await);
            }
        })
        .await
    }

    /// Ends the TLS handshake, then answers 200 to one request.
    pub(crate) async fn tls(config: ServerConfig) -> Self {
        Self::tls_answering(config, OK).await
    }

    pub(crate) async fn tls_answering(config: ServerConfig, answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::tls_on(listener, config, answer)
    }

    pub(crate) fn tls_on(
        listener: TcpListener,
        config: ServerConfig,
        answer: &'static [u8],
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::on("https", listener, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return; // the probe did not like the certificate
                };
                read_head(&mut stream).await;
                drop(stream.write_all(answer).await);
                drop(stream.shutdown().await);
            }
        })
    }

    pub(crate) async fn start<F, W>(scheme: &'static str, script: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(scheme, listener, script)
    }

    /// The same where the test says.
    pub(crate) fn on<F, W>(scheme: &'static str, listener: TcpListener, script: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let server = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                open.spawn(script(stream));
            }
        });
        Self {
            addr,
            scheme,
            connections,
            server,
        }
    }

    /// By address for http, by the name `localhost` for https.
    pub(crate) fn url(&self, path: &str) -> String {
        match self.scheme {
            "https" => format!("https://localhost:{}{path}", self.addr.port()),
            _ => format!("http://{}{path}", self.addr),
        }
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A small answer of a healthy server.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Reads up to the blank line after a request's headers.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Sends the same bytes until the peer hangs up; returns how many were taken.
pub(crate) async fn flood(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while stream.write_all(bytes).await.is_ok() {
        sent += bytes.len();
    }
    sent
}
