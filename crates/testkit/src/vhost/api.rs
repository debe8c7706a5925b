//! The management API, as far as tests need it.
//!
//! Blocking sockets and HTTP/1.0, so that a vhost can be deleted in `Drop`, where nothing can
//! be awaited.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

/// Deleting a vhost with a dozen queues takes a second on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(super) struct Api {
    address: String,
    user: String,
    authorization: String,
}

impl Api {
    pub(super) fn new(url: &str) -> Self {
        let url: Url = url.parse().expect("the management API's URL");
        let host = url.host_str().expect("a host");
        let port = url.port_or_known_default().expect("a port");
        let user = url.username().to_owned();
        let login = format!("{user}:{}", url.password().unwrap_or_default());
        Self {
            address: format!("{host}:{port}"),
            authorization: STANDARD.encode(login),
            user,
        }
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// The JSON that came back, `Null` where there was none.
    pub(super) async fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let (api, path) = (self.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || api.call_and_wait(method, &path, body))
            .await
            .expect("the management API")
    }

    /// Panics at anything but success, except for what was not there to be deleted.
    pub(super) fn call_and_wait(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self
            .exchange(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        let gone = method == "DELETE" && status == "404";
        if !status.starts_with('2') && !gone && !std::thread::panicking() {
            panic!("{method} {path}: {status} {body}");
        }
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> std::io::Result<String> {
        let body = body.map(|json| json.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Basic {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.authorization,
            body.len(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// One segment of a path: connection names hold blanks and `>`.
pub(super) fn encoded(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
