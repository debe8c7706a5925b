//! The process under test, and people who use it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use chrono::TimeDelta;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use models::account_mail::LinkPurpose;
use models::mail_token::TokenKey;
use runtime::{Clock, ClockShift, Shutdown, Trigger};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use testkit::TestDb;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) const JWT_SECRET: &str = "a-signing-key-of-the-tests-and-of-nobody-else";
pub(crate) const SECRETS_KEY: &str = "a-key-for-mailed-links-of-the-tests-alone";
pub(crate) const PASSWORD: &str = "correct horse";

/// One api process on a port of its own, on a database of its own.
pub(crate) struct TestApp {
    pub(crate) db: Arc<TestDb>,
    pub(crate) shift: ClockShift,
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    trigger: Trigger,
    running: JoinHandle<anyhow::Result<()>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The problem of a failure, whose shape is checked.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], self.header("x-request-id"));
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        problem
    }

    /// The names of the wrong fields.
    #[track_caller]
    pub(crate) fn wrong_fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{problem}"));
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With some settings of its own.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(Arc::new(TestDb::new().await), settings).await
    }

    /// Another process on the same database.
    pub(crate) async fn twin(&self) -> Self {
        Self::on(Arc::clone(&self.db), &[]).await
    }

    pub(crate) async fn on(db: Arc<TestDb>, settings: &[(&str, &str)]) -> Self {
        let url = db.url().expose_secret().to_owned();
        let mut vars: BTreeMap<String, String> = [
            ("DATABASE_URL", url.as_str()),
            // Nobody listens there: the broker is not what these tests are about.
            ("AMQP_URL", "amqp://u:p@127.0.0.1:9"),
            ("OPS_BIND", "127.0.0.1"),
            ("OPS_PORT", "0"),
            ("JWT_SECRET", JWT_SECRET),
            ("SECRETS_KEY", SECRETS_KEY),
            ("BCRYPT_COST", "4"),
            // High, but where they are what a test is about.
            ("RATE_LIMIT_AUTH_PER_MINUTE", "1000000"),
            ("RATE_LIMIT_REFRESH_PER_MINUTE", "1000000"),
            ("RATE_LIMIT_MAILS_PER_HOUR", "1000000"),
            ("LOGIN_FAILURES_PER_15_MINUTES", "1000000"),
            ("RATE_LIMIT_READS_PER_MINUTE", "1000000"),
            ("RATE_LIMIT_WRITES_PER_MINUTE", "1000000"),
        ]
        .into_iter()
        .chain(settings.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        vars.remove("APP_PORT");
        let config = api::Config::from_env(&vars).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, trigger) = Shutdown::manual();
        let shift = ClockShift::new();
        let clock = Clock::with_shift(shift.clone());
        let running = tokio::spawn(api::run_on(listener, config, clock, shutdown));
        let app = Self {
            db,
            shift,
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            trigger,
            running,
        };
        testkit::eventually(|| async { app.get("/healthz").await.status == 200 }).await;
        app
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.shift.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, body.to_string()).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post(
            "/api/v1/auth/login",
            &json!({"email": email, "password": password}),
        )
        .await
    }

    /// A new user, logged in.
    pub(crate) async fn user(&self) -> User<'_> {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let body = json!({"email": email, "password": PASSWORD});
        let id = self.post("/api/v1/auth/register", &body).await.expect(201)["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let pair = self.login(&email, PASSWORD).await.expect(200);
        User {
            app: self,
            id,
            email,
            token: pair["access_token"].as_str().unwrap().to_owned(),
            refresh_token: pair["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Asks it to stop as an orchestrator does.
    pub(crate) fn terminate(&self) {
        self.trigger.terminate();
    }

    /// The token of the link that waits for this user, as his mail would carry it.
    pub(crate) async fn link(&self, user: Uuid, purpose: LinkPurpose) -> String {
        let row = format!(
            "FROM mail_tokens WHERE user_id = '{user}' AND purpose = '{}'",
            purpose.as_str()
        );
        let id: String = self.db.value(&format!("SELECT id::text {row}")).await;
        let id: Uuid = id.parse().unwrap();
        let seed: Vec<u8> = self.db.value(&format!("SELECT seed {row}")).await;
        let key = TokenKey::new(SECRETS_KEY.as_bytes()).unwrap();
        key.token(purpose, id, &seed)
    }

    /// What account mail waits, as `mail → address`, oldest first.
    pub(crate) async fn mails(&self) -> Vec<String> {
        let sql = "SELECT coalesce(array_agg(facts->>'mail' || ' → ' || recipient ORDER BY id), '{}') \
                   FROM deliveries WHERE lane = 'account' AND status = 'pending'";
        self.db.value(sql).await
    }

    /// Stops it, as Ctrl-C does, and waits.
    pub(crate) async fn stop(self) {
        self.trigger.shut_down();
        self.running.await.unwrap().unwrap();
    }
}

/// A tenant.
pub(crate) struct User<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

impl<'a> User<'a> {
    /// The same person with other tokens.
    pub(crate) fn with(&self, pair: &Value) -> User<'a> {
        User {
            app: self.app,
            id: self.id,
            email: self.email.clone(),
            token: pair["access_token"].as_str().unwrap().to_owned(),
            refresh_token: pair["refresh_token"].as_str().unwrap().to_owned(),
        }
    }
}

impl User<'_> {
    /// The same person at another process.
    pub(crate) fn at<'b>(&self, app: &'b TestApp) -> User<'b> {
        User {
            app,
            id: self.id,
            email: self.email.clone(),
            token: self.token.clone(),
            refresh_token: self.refresh_token.clone(),
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.app.send(method, path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.post("/api/v1/services", body).await
    }

    /// A service with little to say.
    pub(crate) async fn service(&self, host: &str) -> Value {
        let body = json!({"name": host, "url": format!("https://{host}.example.com/")});
        self.create(&body).await.expect(201)
    }

    pub(crate) async fn edit(&self, service: &Value, body: &Value) -> Answer {
        self.send(Method::PUT, &path_of(service), body.to_string())
            .await
    }

    pub(crate) async fn delete(&self, service: &Value) -> Answer {
        self.send(Method::DELETE, &path_of(service), "").await
    }

    pub(crate) async fn show(&self, service: &Value) -> Answer {
        self.get(&path_of(service)).await
    }

    pub(crate) async fn probe(&self, service: &Value) -> Answer {
        self.send(Method::POST, &format!("{}/probe", path_of(service)), "")
            .await
    }
}

pub(crate) fn path_of(service: &Value) -> String {
    format!("/api/v1/services/{}", service["id"].as_str().unwrap())
}
