//! DNS messages, as little of them as address lookups need (RFC 1035, section 4).

use std::net::IpAddr;

use super::Reply;

/// A question over UDP is never longer.
pub(super) const MAX_QUERY: usize = 512;

const HEADER: usize = 12;
const CNAME: u16 = 5;
const INTERNET: u16 = 1;
/// A pointer to the name in the question.
const QUESTION_NAME: [u8; 2] = [0xc0, 12];
/// Never cached, so that the next question is asked again.
const TTL: u32 = 0;

/// Which addresses a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `A`
    V4,
    /// `AAAA`
    V6,
    /// `NS`: none, but which name servers there are, as whoever asks whether one is there does.
    NameServers,
}

impl Family {
    fn record(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
            Self::NameServers => 2,
        }
    }
}

#[derive(Debug)]
pub(super) struct Question {
    /// Lower case, without its root dot.
    pub(super) name: String,
    pub(super) family: Family,
    /// Where it ends in the query.
    end: usize,
}

/// The one question of a query, `None` where it is another than for addresses or name servers.
pub(super) fn question(query: &[u8]) -> Option<Question> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
    let family = match query.get(at..at + 2)? {
        [0, 1] => Family::V4,
        [0, 28] => Family::V6,
        [0, 2] => Family::NameServers,
        _ => return None,
    };
    Some(Question {
        name: labels.join("."),
        family,
        end: at + 4,
    })
}

/// The answer: the question again, a chain of aliases, then the addresses of the family asked for.
pub(super) fn answer(query: &[u8], question: &Question, reply: &Reply) -> Vec<u8> {
    let addresses: Vec<&IpAddr> = reply
        .addresses
        .iter()
        .filter(|ip| ip.is_ipv4() == (question.family == Family::V4))
        .collect();
    let records = u16::try_from(reply.aliases + addresses.len()).expect("a short answer");
    let mut bytes = query[..2].to_vec();
    // An answer; recursion was desired and is available.
    bytes.extend([0x81, 0x80 | reply.code, 0, 1]);
    bytes.extend(records.to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(&query[HEADER..question.end]);
    let mut owner = QUESTION_NAME.to_vec();
    for n in 0..reply.aliases {
        let next = name(&format!("alias-{n}.{}", question.name));
        record(&mut bytes, &owner, CNAME, &next);
        owner = next;
    }
    for ip in addresses {
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        record(&mut bytes, &owner, question.family.record(), &octets);
    }
    bytes
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(bytes: &mut Vec<u8>, owner: &[u8], kind: u16, data: &[u8]) {
    bytes.extend(owner);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    bytes.extend(TTL.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
    bytes.extend(data);
}
