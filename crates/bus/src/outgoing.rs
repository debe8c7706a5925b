//! A message on its way out.

use std::fmt::Display;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use models::message::MAX_MESSAGE_BYTES;
use serde::Serialize;

use crate::connection::short;
use crate::route::{DEAD_EXCHANGE, DeadQueue, Route};

/// A message and where it goes. Persistent, JSON.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(crate) to: Destination,
    pub(crate) body: Vec<u8>,
    message_id: String,
    headers: FieldTable,
}

#[derive(Debug, Clone)]
pub(crate) enum Destination {
    Route(Route),
    Dead(DeadQueue),
}

/// The message cannot be sent at all: trying again will not help.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// Past [`MAX_MESSAGE_BYTES`]; readers would refuse it.
    #[error("a message of {bytes} bytes, the most is {}", MAX_MESSAGE_BYTES)]
    TooLarge {
        /// Of the body.
        bytes: usize,
    },
    /// The value has no JSON form.
    #[error("encode a message")]
    Encode(#[from] serde_json::Error),
}

impl Outgoing {
    /// `payload` as JSON. `message_id` is the idempotency key of the message; past 255 bytes it
    /// is cut.
    ///
    /// # Errors
    /// When the payload cannot be encoded or is larger than [`MAX_MESSAGE_BYTES`].
    pub fn json(
        route: Route,
        message_id: impl Display,
        payload: &impl Serialize,
    ) -> Result<Self, OutgoingError> {
        Self::bytes(route, message_id, serde_json::to_vec(payload)?)
    }

    /// A body that is already JSON.
    ///
    /// # Errors
    /// When it is larger than [`MAX_MESSAGE_BYTES`].
    pub fn bytes(
        route: Route,
        message_id: impl Display,
        body: Vec<u8>,
    ) -> Result<Self, OutgoingError> {
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(OutgoingError::TooLarge { bytes: body.len() });
        }
        Ok(Self {
            to: Destination::Route(route),
            body,
            message_id: message_id.to_string(),
            headers: FieldTable::default(),
        })
    }

    /// Adds the W3C trace context of the sender.
    #[must_use]
    pub fn with_traceparent(self, traceparent: &str) -> Self {
        self.with_header(TRACEPARENT, traceparent)
    }

    /// For the dead exchange; of any size, since it came in that way.
    pub(crate) fn dead(queue: DeadQueue, message_id: String, body: Vec<u8>) -> Self {
        Self {
            to: Destination::Dead(queue),
            body,
            message_id,
            headers: FieldTable::default(),
        }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .insert(short(name), AMQPValue::LongString(value.into()));
        self
    }

    /// Whether what the broker hands back is this message, or one that nobody tells from it.
    pub(crate) fn is(&self, back: &Delivery) -> bool {
        back.exchange.as_str() == self.to.exchange()
            && back.routing_key.as_str() == self.to.routing_key()
            && *back.properties.message_id() == Some(short(&self.message_id))
    }

    pub(crate) fn properties(&self) -> BasicProperties {
        BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_message_id(short(&self.message_id))
            .with_headers(self.headers.clone())
    }
}

impl Destination {
    pub(crate) fn exchange(&self) -> &'static str {
        match self {
            Self::Route(route) => route.exchange(),
            Self::Dead(_) => DEAD_EXCHANGE,
        }
    }

    pub(crate) fn routing_key(&self) -> &str {
        match self {
            Self::Route(route) => route.routing_key(),
            Self::Dead(queue) => queue.queue(),
        }
    }

    pub(crate) fn queue(&self) -> String {
        match self {
            Self::Route(route) => route.queue(),
            Self::Dead(queue) => queue.queue().to_owned(),
        }
    }
}

/// Written to disk before it is confirmed.
const PERSISTENT: u8 = 2;
/// <https://www.w3.org/TR/trace-context/>
pub(crate) const TRACEPARENT: &str = "traceparent";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_past_the_bound_is_refused_before_it_travels() {
        let fits = vec![b'1'; MAX_MESSAGE_BYTES];
        let mut too_large = fits.clone();
        too_large.push(b'1');
        assert!(Outgoing::bytes(Route::Alerts, 1, fits).is_ok());
        let refused = Outgoing::bytes(Route::Alerts, 1, too_large).unwrap_err();
        assert!(matches!(refused, OutgoingError::TooLarge { bytes } if bytes == 65_537));
    }

    #[test]
    fn names_past_the_protocols_bound_are_cut_and_never_panic() {
        let long = "ä".repeat(200);
        let message = Outgoing::bytes(Route::Alerts, &long, Vec::new()).unwrap();
        let id = message.properties().message_id().clone().unwrap();
        assert_eq!(id.as_str(), "ä".repeat(127));
    }
}
