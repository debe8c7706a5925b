//! One HTTP request to a server on loopback, for its status: enough to ask whether it is ready.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A local server that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The status of `GET path`, and the first kilobytes of the body; none when nobody answers.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = connect(port)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).ok()?;
    parse(&String::from_utf8_lossy(&answer))
}

/// Whether something accepts connections there.
pub(crate) fn accepts(port: u16) -> bool {
    connect(port).is_some()
}

fn connect(port: u16) -> Option<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let status = answer.split_whitespace().nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_told_apart() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nschema is behind";
        assert_eq!(parse(answer), Some((503, "schema is behind".to_owned())));
        assert_eq!(parse("garbage"), None);
    }
}
