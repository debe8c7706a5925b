//! A registered user and what he asks of the api.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;
use uuid::Uuid;

use crate::client::{Answer, send};

/// A tenant, signed in.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) email: String,
    address: SocketAddr,
    token: String,
}

const PASSWORD: &str = "correct horse battery";

impl Tenant {
    /// Registers a new user and signs him in.
    pub(crate) async fn register(address: SocketAddr) -> Self {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let account = json!({"email": email, "password": PASSWORD});
        let post = async |path: &str| {
            send(address, Method::POST, path, None, Some(&account))
                .await
                .expect("the api answers")
        };
        post("/api/v1/auth/register").await.expect(201);
        let login = post("/api/v1/auth/login").await.expect(200);
        let token = login["access_token"].as_str().expect("a token").to_owned();
        Self {
            email,
            address,
            token,
        }
    }

    /// Any request under `/api/v1`.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/api/v1{path}");
        send(
            self.address,
            method,
            &path,
            Some(&self.token),
            body.as_ref(),
        )
        .await
        .expect("the api answers")
    }

    /// The same, tried again while the api says that it is too busy: what a client does.
    async fn insist(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        eventually(async || {
            let answer = self.send(method.clone(), path, body.clone()).await;
            match answer.status {
                StatusCode::SERVICE_UNAVAILABLE => Err(answer),
                _ => Ok(answer),
            }
        })
        .await
    }

    /// `GET`, which must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.insist(Method::GET, path, None).await.expect(200)
    }

    /// Creates a service from a JSON object that has at least `url`; gives back its id.
    pub(crate) async fn watch(&self, service: Value) -> String {
        let service = Some(named(service));
        let created = self.insist(Method::POST, "/services", service).await;
        let created = created.expect(201);
        created["id"].as_str().expect("an id").to_owned()
    }

    /// Tries to create a service; a name is filled in where none is given.
    pub(crate) async fn create(&self, service: Value) -> Answer {
        self.send(Method::POST, "/services", Some(named(service)))
            .await
    }

    /// Changes a service, which must succeed.
    pub(crate) async fn change(&self, id: &str, change: Value) -> Value {
        let path = format!("/services/{id}");
        self.insist(Method::PATCH, &path, Some(change))
            .await
            .expect(200)
    }

    /// The service as it stands.
    pub(crate) async fn service(&self, id: &str) -> Value {
        self.get(&format!("/services/{id}")).await
    }

    /// The newest results, newest first.
    pub(crate) async fn results(&self, id: &str) -> Vec<Value> {
        let dashboard = self.get(&format!("/dashboard/{id}?limit=100")).await;
        let results = dashboard["recent_results"].as_array();
        results.expect("a list of results").clone()
    }

    /// The alerts of a service, newest first, as `(type, status)`.
    pub(crate) async fn alerts(&self, id: &str) -> Vec<(String, String)> {
        let answer = self.get(&format!("/dashboard/{id}/alerts?limit=100")).await;
        let alerts = answer["alerts"].as_array().expect("a list of alerts");
        let text = |alert: &Value, field: &str| alert[field].as_str().expect(field).to_owned();
        alerts
            .iter()
            .map(|alert| (text(alert, "alert_type"), text(alert, "status")))
            .collect()
    }
}

/// A service with a name, a made-up one where none is given.
fn named(mut service: Value) -> Value {
    if service.get("name").is_none() {
        service["name"] = json!("a service");
    }
    service
}
