//! A broker of the bench's own: hands batches to the one prober that listens, and takes what it publishes.
//!
//! It speaks as much of AMQP 0-9-1 as the prober does, so the prober's own client is a part of what is measured; but it
//! costs next to nothing, where a broker of the field would take the cores from target and prober alike.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

mod peer;

/// Results that wait to be counted, in messages.
const RESULTS: usize = 4_096;

/// The broker, within the bench.
#[derive(Debug)]
pub(crate) struct Source {
    url: SecretString,
    queue: Arc<Queue>,
    results: mpsc::Receiver<Vec<u8>>,
}

/// Messages for whoever consumes.
#[derive(Debug)]
struct Queue {
    waiting: Mutex<VecDeque<Vec<u8>>>,
    more: Notify,
    results: mpsc::Sender<Vec<u8>>,
}

impl Source {
    pub(crate) async fn open() -> Self {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(here).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, results) = mpsc::channel(RESULTS);
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            more: Notify::new(),
            results: sender,
        });
        tokio::spawn(accept(listener, Arc::clone(&queue)));
        Self {
            url: SecretString::from(format!("amqp://bench:bench@127.0.0.1:{port}")),
            queue,
            results,
        }
    }

    /// For the prober's environment.
    pub(crate) const fn url(&self) -> &SecretString {
        &self.url
    }

    pub(crate) fn send(&self, messages: Vec<Vec<u8>>) {
        self.queue.lock().extend(messages);
        self.queue.more.notify_one();
    }

    /// The next message that was published.
    pub(crate) async fn next(&mut self) -> Vec<u8> {
        self.results.recv().await.expect("the queue is ours")
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The prober has two connections; a prober that is killed takes its own with it, and what it held is gone.
async fn accept(listener: TcpListener, queue: Arc<Queue>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        tokio::spawn(peer::serve(stream, Arc::clone(&queue)));
    }
}
