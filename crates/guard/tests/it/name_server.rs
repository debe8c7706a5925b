//! A name server whose answers a test writes. They could be kept for minutes, so that whoever keeps one is seen.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// How long an answer may be kept, in seconds.
const TTL: u32 = 300;

/// What the server says to one question.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These addresses, each to a question for its family.
    Ips(Vec<&'static str>),
    /// That many aliases, then this address.
    Aliases(usize, &'static str),
    Code(ResponseCode),
    /// The address, and no answer to a question for the other family.
    OneFamily(&'static str),
    /// A code to a question for A, another to one for AAAA.
    Codes(ResponseCode, ResponseCode),
    Silence,
}

pub(crate) struct NameServer {
    pub(crate) addr: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl NameServer {
    /// `script` gives the answer to the n-th question (from 0) of one record type for a name.
    pub(crate) async fn start(script: impl Fn(&str, usize) -> Answer + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let server = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(buffer.get(..length).unwrap()).unwrap();
                if let Some(reply) = answer(question, &log, &script) {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        });
        Self {
            addr,
            asked,
            server,
        }
    }

    pub(crate) fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    question: Message,
    log: &Mutex<Vec<(String, RecordType)>>,
    script: &impl Fn(&str, usize) -> Answer,
) -> Option<Vec<u8>> {
    let query = question.queries.first().unwrap().clone();
    let name = query.name().to_ascii();
    let earlier = {
        let mut log = log.lock().unwrap();
        let earlier = log
            .iter()
            .filter(|(n, kind)| *n == name && *kind == query.query_type())
            .count();
        log.push((name.clone(), query.query_type()));
        earlier
    };
    let mut reply = question.into_response();
    match script(&name, earlier) {
        Answer::Silence => return None,
        Answer::OneFamily(ip) => {
            add_addresses(&mut reply, query.name().clone(), query.query_type(), &[ip]);
            if reply.answers.is_empty() {
                return None;
            }
        }
        Answer::Code(code) => reply.metadata.response_code = code,
        Answer::Codes(v4, v6) => {
            let is_v4 = query.query_type() == RecordType::A;
            reply.metadata.response_code = if is_v4 { v4 } else { v6 };
        }
        Answer::Ips(ips) => {
            add_addresses(&mut reply, query.name().clone(), query.query_type(), &ips)
        }
        Answer::Aliases(count, ip) => {
            let mut name = query.name().clone();
            for n in 0..count {
                let next = Name::from_ascii(format!("alias{n}.example.com.")).unwrap();
                reply.add_answer(Record::from_rdata(
                    name,
                    TTL,
                    RData::CNAME(CNAME(next.clone())),
                ));
                name = next;
            }
            add_addresses(&mut reply, name, query.query_type(), &[ip]);
        }
    }
    Some(reply.to_vec().unwrap())
}

fn add_addresses(reply: &mut Message, name: Name, kind: RecordType, ips: &[&str]) {
    for ip in ips {
        let ip: IpAddr = ip.parse().unwrap();
        if (kind == RecordType::A) == ip.is_ipv4() {
            reply.add_answer(Record::from_rdata(name.clone(), TTL, RData::from(ip)));
        }
    }
}
