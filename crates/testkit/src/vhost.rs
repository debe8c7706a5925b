//! A RabbitMQ vhost for every test, through the management API.

mod api;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{Bus, BusConfig, Declares};
use runtime::env::{ProcessEnv, Vars as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use api::Api;

/// The management API with user and password; set by `cargo xtask test`.
pub const API_VARIABLE: &str = "PULSEMON_TEST_RABBITMQ_API";
/// The broker with user and password, without a vhost; set by `cargo xtask test`.
pub const AMQP_VARIABLE: &str = "PULSEMON_TEST_AMQP_URL";

/// Vhosts of tests begin with this; what is older than [`LEFT_OVER_AFTER`] is swept.
const PREFIX: &str = "pmtest_";
/// A test run that was killed left its vhosts behind.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);

/// A vhost of the test's own; deleted with it, whoever is still connected.
#[derive(Debug)]
pub struct TestVhost {
    name: String,
    api: Api,
    amqp_url: String,
    has_limited_user: AtomicBool,
}

impl TestVhost {
    /// Makes an empty vhost (no queue is declared).
    ///
    /// # Panics
    /// Where there is no broker to use.
    pub async fn new() -> Self {
        let api = Api::new(&variable(API_VARIABLE));
        sweep_once(&api).await;
        let age = unix_now().as_secs();
        let name = format!("{PREFIX}{age}_{}", Uuid::new_v4().simple());
        let user = api.user().to_owned();
        api.call("PUT", &format!("/api/vhosts/{name}"), None).await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        api.call("PUT", &format!("/api/permissions/{name}/{user}"), Some(all))
            .await;
        let mut url: Url = variable(AMQP_VARIABLE).parse().expect("the broker's URL");
        url.set_path(&name);
        Self {
            name,
            api,
            amqp_url: url.into(),
            has_limited_user: AtomicBool::new(false),
        }
    }

    /// For `AMQP_URL`.
    pub fn amqp_url(&self) -> SecretString {
        self.amqp_url.clone().into()
    }

    /// How a bus of this vhost is configured that may declare queues.
    pub fn bus_config(&self) -> BusConfig {
        BusConfig {
            amqp_url: self.amqp_url(),
            ca_file: None,
            process_name: "test",
            declares: Declares::default_region(),
        }
    }

    /// A bus with the whole topology declared.
    ///
    /// # Panics
    /// When the broker cannot be reached within 15 s.
    pub async fn bus(&self) -> Bus {
        let bus = Bus::connect(self.bus_config()).expect("the test's bus");
        let connected = tokio::time::timeout(crate::eventually::DEADLINE, bus.connected()).await;
        assert_eq!(connected, Ok(true), "no connection to the broker");
        bus
    }

    /// A URL for another user of this vhost with rights of its own (regular expressions for
    /// what may be configured, written and read), as probers have.
    pub async fn restricted_url(&self, configure: &str, write: &str, read: &str) -> SecretString {
        let user = self.limited_user();
        self.has_limited_user.store(true, Ordering::Relaxed);
        let login = json!({"password": "limited", "tags": ""});
        self.api
            .call("PUT", &format!("/api/users/{user}"), Some(login))
            .await;
        let rights = json!({"configure": configure, "write": write, "read": read});
        let path = format!("/api/permissions/{}/{user}", self.name);
        self.api.call("PUT", &path, Some(rights)).await;
        let mut url: Url = self.amqp_url.parse().expect("our own URL");
        url.set_username(&user).expect("a user name");
        url.set_password(Some("limited")).expect("a password");
        String::from(url).into()
    }

    fn limited_user(&self) -> String {
        format!("{}_limited", self.name)
    }

    /// The process id of the broker's (first) node, on its own machine.
    pub async fn broker_pid(&self) -> Option<u32> {
        let nodes = self.api.call("GET", "/api/nodes", None).await;
        nodes[0]["os_pid"].as_str()?.parse().ok()
    }

    /// Takes up to `count` messages off a queue for good: body and headers.
    pub async fn take(&self, queue: &str, count: u32) -> Vec<Taken> {
        let how = json!({"count": count, "ackmode": "ack_requeue_false", "encoding": "auto"});
        let path = format!("/api/queues/{}/{queue}/get", self.name);
        let answer = self.api.call("POST", &path, Some(how)).await;
        let messages = answer.as_array().cloned().unwrap_or_default();
        messages.iter().map(Taken::from_json).collect()
    }

    /// Deletes a queue under its consumers.
    pub async fn delete_queue(&self, queue: &str) {
        let path = format!("/api/queues/{}/{queue}", self.name);
        self.api.call("DELETE", &path, None).await;
    }

    /// Deletes an exchange under its publishers.
    pub async fn delete_exchange(&self, exchange: &str) {
        let path = format!("/api/exchanges/{}/{exchange}", self.name);
        self.api.call("DELETE", &path, None).await;
    }

    /// Lets every queue whose name matches `pattern` hold `most` messages at most.
    pub async fn limit_length(&self, pattern: &str, most: u32) {
        let policy = json!({
            "pattern": pattern, "apply-to": "queues", "definition": {"max-length": most},
        });
        let path = format!("/api/policies/{}/limit", self.name);
        self.api.call("PUT", &path, Some(policy)).await;
    }

    /// Whether a queue exists.
    pub async fn has_queue(&self, queue: &str) -> bool {
        let all = self
            .api
            .call("GET", &format!("/api/queues/{}", self.name), None)
            .await;
        let queues = all.as_array().cloned().unwrap_or_default();
        queues.iter().any(|found| found["name"] == queue)
    }

    /// Force-closes every connection to this vhost, as an operator would; returns how many.
    /// A connection shows up here some seconds after it was made: ask [`super::eventually()`].
    pub async fn close_connections(&self) -> usize {
        let path = format!("/api/vhosts/{}/connections", self.name);
        let open = self.api.call("GET", &path, None).await;
        let names: Vec<String> = open
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|connection| connection["name"].as_str().map(str::to_owned))
            .collect();
        for name in &names {
            let path = format!("/api/connections/{}", api::encoded(name));
            self.api.call("DELETE", &path, None).await;
        }
        names.len()
    }
}

impl Drop for TestVhost {
    fn drop(&mut self) {
        self.api
            .call_and_wait("DELETE", &format!("/api/vhosts/{}", self.name), None);
        if self.has_limited_user.load(Ordering::Relaxed) {
            let path = format!("/api/users/{}", self.limited_user());
            self.api.call_and_wait("DELETE", &path, None);
        }
    }
}

/// A message taken off a queue.
#[derive(Debug, Clone)]
pub struct Taken {
    /// As it was published.
    pub body: String,
    /// Its id.
    pub message_id: String,
    headers: Value,
}

impl Taken {
    fn from_json(message: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            body: text(&message["payload"]),
            message_id: text(&message["properties"]["message_id"]),
            headers: message["properties"]["headers"].clone(),
        }
    }

    /// A header's text, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].as_str().unwrap_or_default()
    }
}

/// Deletes what killed runs left behind, once a program.
async fn sweep_once(api: &Api) {
    static SWEPT: OnceLock<()> = OnceLock::new();
    if SWEPT.set(()).is_err() {
        return;
    }
    let all = api.call("GET", "/api/vhosts", None).await;
    for vhost in all.as_array().into_iter().flatten() {
        let name = vhost["name"].as_str().unwrap_or_default();
        let made_at = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let left_over = made_at.is_some_and(|at| at + LEFT_OVER_AFTER < unix_now());
        if left_over {
            api.call("DELETE", &format!("/api/vhosts/{name}"), None)
                .await;
        }
    }
}

fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}

fn variable(name: &str) -> String {
    ProcessEnv
        .var(name)
        .unwrap_or_else(|| panic!("{name} is not set: run the tests with `cargo xtask test`"))
}
