//! Requests over kept connections.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Sends to one port.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    port: u16,
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery";

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            port,
        }
    }

    /// Status and body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: String,
    ) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(body.into()))
            .expect("a request");
        let answer = self.pool.request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body");
        (status, body.to_bytes())
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.send(Method::POST, path, token, body.to_string()).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> (u16, Value) {
        let body = json!({"email": email, "password": password});
        self.post("/api/v1/auth/login", "", &body).await
    }

    /// A new account, logged in.
    pub(crate) async fn tenant(&self, email: &str) -> Tenant {
        let body = json!({"email": email, "password": PASSWORD});
        let (status, account) = self.post("/api/v1/auth/register", "", &body).await;
        assert_eq!(status, 201, "{account}");
        let (status, pair) = self.login(email, PASSWORD).await;
        assert_eq!(status, 200, "{pair}");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Tenant {
            id: text(&account["id"]),
            email: email.to_owned(),
            token: text(&pair["access_token"]),
        }
    }
}
