//! From where a request comes, for the owner of a session to recognise.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use db::audit::Event;
use models::Time;
use models::audit::AuditEvent;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Problem;

/// Of a `User-Agent`, so much is kept: enough to tell a phone from a laptop.
const USER_AGENT_CHARS: usize = 200;

/// Address and program of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    client: Client,
    /// The beginning of its `User-Agent`.
    pub(crate) user_agent: Option<String>,
}

impl Origin {
    /// The client's address.
    pub(crate) const fn address(&self) -> IpAddr {
        self.client.address()
    }

    /// What counts as one client, where it is counted.
    pub(crate) fn network(&self) -> IpAddr {
        self.client.network()
    }

    /// What the client did to an account, or tried to.
    pub(crate) fn event(&self, kind: AuditEvent, user: Uuid, now: Time) -> Event {
        Event::new(kind, user, Some(self.address()), now)
    }
}

impl FromRequest for Origin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let client = Client::from_request(request, payload).into_inner();
        ready(client.map(|client| {
            Self {
                client,
                user_agent: request
                    .headers()
                    .get(header::USER_AGENT)
                    .and_then(|value| shortened(value.to_str().ok()?)),
            }
        }))
    }
}

fn shortened(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(USER_AGENT_CHARS).collect();
    (!text.is_empty()).then_some(text)
}
