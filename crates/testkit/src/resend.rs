//! A Resend that is a real HTTP server: it checks what the documentation demands, remembers
//! idempotency keys, records everything, and fails as it is told to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What the next request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken, or recognised by its key: 200.
    Accept,
    /// This status, and not taken.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    TryAgainAfter(u32),
    /// Taken, but the connection dies before the answer.
    AcceptThenDrop,
    /// The connection dies, and nothing was taken.
    Drop,
    /// Taken, and answered only after [`FakeResend::release`].
    Hold,
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `Idempotency-Key`.
    pub key: String,
    /// The exact body.
    pub body: String,
    /// `User-Agent`.
    pub user_agent: String,
}

impl Received {
    /// A field of the body, as text; of a list, its first item.
    pub fn field(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).expect("a JSON body");
        let value = match &body[name] {
            Value::Array(items) => items[0].clone(),
            value => value.clone(),
        };
        value.as_str().unwrap_or_default().to_owned()
    }
}

/// The server. Stops when dropped.
#[derive(Debug)]
pub struct FakeResend {
    url: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    book: Mutex<Book>,
    released: Semaphore,
}

#[derive(Debug, Default)]
struct Book {
    script: VecDeque<Answer>,
    otherwise: Option<Answer>,
    requests: Vec<Received>,
    accepted: Vec<Received>,
    bodies: HashMap<String, String>,
}

impl FakeResend {
    /// The only key it lets in.
    pub const API_KEY: &str = "re_test_key";

    /// Listens on a free port of 127.0.0.1 and accepts everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            book: Mutex::default(),
            released: Semaphore::new(0),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self {
            url: format!("http://{address}"),
            state,
            server,
        }
    }

    /// For `RESEND_BASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next requests get these answers, one each; later ones are accepted.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.book().script.extend(answers);
    }

    /// What requests get once the script is through; [`Answer::Accept`] unless told otherwise.
    pub fn otherwise(&self, answer: Answer) {
        self.state.book().otherwise = Some(answer);
    }

    /// Lets one held request go, now or when it comes.
    pub fn release(&self) {
        self.state.released.add_permits(1);
    }

    /// Every request with a valid key, in order.
    pub fn requests(&self) -> Vec<Received> {
        self.state.book().requests.clone()
    }

    /// The mails that went out: one for each idempotency key, in order.
    pub fn accepted(&self) -> Vec<Received> {
        self.state.book().accepted.clone()
    }

    /// Subjects of the mails that went out to `recipient`, in order.
    pub fn subjects_to(&self, recipient: &str) -> Vec<String> {
        let accepted = self.accepted();
        let to_him = accepted.iter().filter(|mail| mail.field("to") == recipient);
        to_him.map(|mail| mail.field("subject")).collect()
    }
}

impl Drop for FakeResend {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // Connections end with the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            // An error is a connection that we, or the client, dropped.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped as told")
    }
}

impl std::error::Error for Dropped {}

type Reply = Response<Full<Bytes>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_gone| Dropped)?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    if (head.method, head.uri.path()) != (Method::POST, "/emails") {
        return Ok(problem(404, "not_found"));
    }
    let received = match check(&head.headers, body) {
        Ok(received) => received,
        Err(reply) => return Ok(*reply),
    };
    let planned = {
        let mut book = state.book();
        book.requests.push(received.clone());
        let next = book.script.pop_front().or(book.otherwise);
        next.unwrap_or(Answer::Accept)
    };
    match planned {
        Answer::Accept => Ok(state.accept(received)),
        Answer::Status(status) => Ok(problem(status, "as_told")),
        Answer::TryAgainAfter(seconds) => {
            let mut reply = problem(429, "rate_limit_exceeded");
            reply.headers_mut().insert("retry-after", seconds.into());
            Ok(reply)
        }
        Answer::AcceptThenDrop => {
            state.accept(received);
            Err(Dropped)
        }
        Answer::Drop => Err(Dropped),
        Answer::Hold => {
            let reply = state.accept(received);
            if let Ok(permit) = state.released.acquire().await {
                permit.forget();
            }
            Ok(reply)
        }
    }
}

/// What Resend demands of a request.
fn check(headers: &HeaderMap, body: String) -> Result<Received, Box<Reply>> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    if text("authorization") != format!("Bearer {}", FakeResend::API_KEY) {
        return Err(Box::new(problem(401, "missing_api_key")));
    }
    let (key, user_agent) = (text("idempotency-key"), text("user-agent"));
    if user_agent.is_empty() {
        return Err(Box::new(problem(403, "user_agent_required")));
    }
    if key.is_empty() || key.len() > 256 {
        return Err(Box::new(problem(400, "invalid_idempotency_key")));
    }
    let mail: Value = serde_json::from_str(&body).unwrap_or_default();
    let is_text = |name: &str| mail[name].as_str().is_some_and(|text| !text.is_empty());
    let has_recipient = mail["to"].as_array().is_some_and(|to| to.len() == 1);
    let is_whole = ["from", "subject", "html", "text"].into_iter().all(is_text) && has_recipient;
    if !is_whole || text("content-type") != "application/json" {
        return Err(Box::new(problem(422, "validation_error")));
    }
    Ok(Received {
        key,
        body,
        user_agent,
    })
}

impl State {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same key with the same body is the same mail; with another body it is a mistake.
    fn accept(&self, received: Received) -> Reply {
        let mut book = self.book();
        match book.bodies.get(&received.key) {
            Some(body) if *body != received.body => {
                return problem(409, "invalid_idempotent_request");
            }
            Some(_) => {}
            None => {
                let key = received.key.clone();
                book.bodies.insert(key, received.body.clone());
                book.accepted.push(received.clone());
            }
        }
        reply(200, &json!({"id": format!("resend-{}", received.key)}))
    }
}

fn problem(status: u16, name: &str) -> Reply {
    reply(
        status,
        &json!({"statusCode": status, "name": name, "message": "told by the test"}),
    )
}

fn reply(status: u16, body: &Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body.to_string())));
    *reply.status_mut() = StatusCode::from_u16(status).expect("a status");
    reply
}
