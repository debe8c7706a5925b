//! A name server: a real one over UDP of 127.0.0.1, that knows what the test told it and remembers who was asked for.
//!
//! ```text
//! let dns = FakeDns::start().await;                                  // knows no name: NXDOMAIN
//! dns.name("a.example", [Reply::addresses(["93.184.216.34"])]);      // A or AAAA, by the question
//! dns.name("b.example", [Reply::addresses(["93.184.216.34"]),        // the first question of a family …
//!                        Reply::addresses(["127.0.0.1"])]);          // … and all later ones: rebinding
//! dns.name("c.example", [Reply::servfail()]);
//! dns.fail();                                                        // nobody gets an answer …
//! dns.recover();                                                     // … until now
//! ```

mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

pub use wire::Family;

/// The server; stops when dropped.
#[derive(Debug)]
pub struct FakeDns {
    addr: SocketAddr,
    zone: Arc<Zone>,
    server: JoinHandle<()>,
}

/// What one question gets.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(crate) code: u8,
    pub(crate) aliases: usize,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) is_silent: bool,
}

impl Reply {
    /// The addresses of the family that was asked for, in this order; without one of it, the name has no address.
    ///
    /// # Panics
    /// Where a text is no address.
    pub fn addresses<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Self {
        let parse = |text: &str| text.parse().expect("an address");
        Self::code(0).with(addresses.into_iter().map(parse).collect())
    }

    /// The name exists and has no address.
    #[must_use]
    pub fn nothing() -> Self {
        Self::code(0)
    }

    /// The server says that it failed.
    #[must_use]
    pub fn servfail() -> Self {
        Self::code(2)
    }

    /// No answer at all.
    #[must_use]
    pub fn silence() -> Self {
        Self {
            is_silent: true,
            ..Self::code(0)
        }
    }

    /// With so many aliases between the name and its addresses, all in one answer.
    #[must_use]
    pub fn behind_aliases(mut self, count: usize) -> Self {
        self.aliases = count;
        self
    }

    fn code(code: u8) -> Self {
        Self {
            code,
            aliases: 0,
            addresses: Vec::new(),
            is_silent: false,
        }
    }

    fn with(mut self, addresses: Vec<IpAddr>) -> Self {
        self.addresses = addresses;
        self
    }
}

#[derive(Debug, Default)]
struct Zone(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    fails: bool,
    names: HashMap<String, Vec<Reply>>,
    asked: Vec<(String, Family)>,
}

impl Zone {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to this question, which is the first, second … of its name and family; the last reply stays.
    fn reply(&self, name: &str, family: Family) -> Reply {
        let mut known = self.known();
        let before = count(&known.asked, name, family);
        known.asked.push((name.to_owned(), family));
        if known.fails {
            return Reply::servfail();
        }
        let Some(replies) = known.names.get(name) else {
            let is_root = name.is_empty();
            return if is_root {
                Reply::nothing()
            } else {
                Reply::code(3)
            };
        };
        let turn = before.min(replies.len().saturating_sub(1));
        replies.get(turn).cloned().unwrap_or_else(Reply::nothing)
    }
}

fn count(asked: &[(String, Family)], name: &str, family: Family) -> usize {
    asked
        .iter()
        .filter(|(asked, of)| asked == name && *of == family)
        .count()
}

impl FakeDns {
    /// Listens on a free port and knows no name.
    ///
    /// # Panics
    /// Where no port is to be had.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let addr = socket.local_addr().expect("an address");
        let zone = Arc::new(Zone::default());
        let server = tokio::spawn(serve(socket, zone.clone()));
        Self { addr, zone, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers the questions for `name` (lower case, without its root dot) with these in turn, each family on its own;
    /// the last reply stays.
    pub fn name(&self, name: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.zone.known().names.insert(name.to_owned(), replies);
    }

    /// Answers every question with a failure of its own from now on, as a resolver without an uplink does.
    pub fn fail(&self) {
        self.zone.known().fails = true;
    }

    /// Answers as before [`FakeDns::fail`].
    pub fn recover(&self) {
        self.zone.known().fails = false;
    }

    /// How often `name` was asked for in this family.
    #[must_use]
    pub fn questions(&self, name: &str, family: Family) -> usize {
        count(&self.zone.known().asked, name, family)
    }

    /// All names that were asked for, in order, once for each question.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let known = self.zone.known();
        known.asked.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Drop for FakeDns {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; wire::MAX_QUERY];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let query = &buffer[..length];
        let Some(question) = wire::question(query) else {
            continue; // nobody who resolves names
        };
        let reply = zone.reply(&question.name, question.family);
        if !reply.is_silent {
            let answer = wire::answer(query, &question, &reply);
            drop(socket.send_to(&answer, peer).await); // who asked may have gone
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_by_name_family_and_turn() {
        let dns = FakeDns::start().await;
        dns.name(
            "a.example",
            [
                Reply::addresses(["192.0.2.1", "2001:db8::1"]).behind_aliases(1),
                Reply::servfail(),
            ],
        );
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(dns.addr()).await.unwrap();
        let ask = async |name: &str, kind: u8| {
            let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.split('.') {
                query.push(u8::try_from(label.len()).unwrap());
                query.extend(label.as_bytes());
            }
            query.extend([0, 0, kind, 0, 1]);
            socket.send(&query).await.unwrap();
            let mut answer = [0; 512];
            let length = socket.recv(&mut answer).await.unwrap();
            (answer[3] & 15, answer[7], answer[..length].to_vec())
        };
        let (code, records, bytes) = ask("A.example", 1).await;
        assert_eq!((code, records), (0, 2));
        assert!(bytes.ends_with(&[0, 4, 192, 0, 2, 1]));
        let (code, records, bytes) = ask("a.example", 28).await;
        assert_eq!((code, records), (0, 2));
        assert!(bytes.ends_with(&[0, 1]));
        assert_eq!(ask("a.example", 1).await.0, 2, "the second turn");
        assert_eq!(ask("b.example", 1).await.0, 3);
        assert_eq!(dns.questions("a.example", Family::V4), 2);
        assert_eq!(dns.asked().len(), 4);
    }
}
