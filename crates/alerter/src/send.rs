//! One attempt at one delivery, and what came of it written down under its fence.

use std::time::Duration;

use db::deliveries::claim::{self as rows, LEASE};
use runtime::Backoff;

use crate::channels::{ATTEMPT_TIMEOUT, Attempt, EMAIL};
use crate::claim::Claimed;
use crate::retry::{self, Next};
use crate::worker::Worker;

/// A lease this old may run out before an attempt is over: whoever was stopped between claim and
/// send leaves the delivery to others.
const TOO_OLD: Duration = LEASE.saturating_sub(ATTEMPT_TIMEOUT);
/// Pauses while the database is away and there is something to write down.
const RECORD_PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Sends and records.
pub(crate) async fn deliver(worker: &Worker, claimed: Claimed) {
    if claimed.since.elapsed() > TOO_OLD {
        tracing::warn!(delivery.id = %claimed.id, "a delivery was held up too long: left to others");
        return;
    }
    let attempt = worker.transport.send(claimed.id, &claimed.letter).await;
    announce(worker, &claimed, &attempt);
    let next = retry::next(
        attempt,
        claimed.attempts,
        claimed.first_attempt_at,
        worker.clock.now(),
        rand::random(),
    );
    record(worker, &claimed, &next).await;
}

fn announce(worker: &Worker, claimed: &Claimed, attempt: &Attempt) {
    let transport = worker.transport.name();
    let outcome = attempt.outcome();
    metrics::counter!("pulsemon_alerter_attempts_total", "transport" => transport, "outcome" => outcome)
        .increment(1);
    let (error, alarms) = match attempt {
        Attempt::Accepted { .. } => return,
        Attempt::Deferred { error, .. } | Attempt::Refused { error, .. } => {
            (error, attempt.alarms())
        }
    };
    let attempts = claimed.attempts;
    if alarms {
        metrics::counter!("pulsemon_alerter_operator_alarms_total", "transport" => transport)
            .increment(1);
        tracing::error!(
            delivery.id = %claimed.id, attempts, transport, outcome, %error,
            "mail cannot be sent: check the mail settings and the provider's account"
        );
    } else {
        tracing::warn!(
            delivery.id = %claimed.id, attempts, transport, outcome, %error,
            "a mail was not taken"
        );
    }
}

/// Tries until it is written or the lease is over: then somebody else sends again under the same
/// key, which the provider recognises.
async fn record(worker: &Worker, claimed: &Claimed, next: &Next) {
    let mut failures = 0;
    while claimed.since.elapsed() < LEASE {
        match write(worker, claimed, next).await {
            Ok(is_ours) => {
                recorded(claimed, next, is_ours);
                return;
            }
            Err(error) => {
                tracing::warn!(delivery.id = %claimed.id, %error, "cannot record a delivery yet");
                tokio::time::sleep(RECORD_PAUSES.jittered(failures)).await;
                failures += 1;
            }
        }
    }
    tracing::error!(delivery.id = %claimed.id, "a delivery was not recorded within its lease");
}

async fn write(worker: &Worker, claimed: &Claimed, next: &Next) -> Result<bool, db::Error> {
    let (id, fence) = (claimed.id.as_uuid(), claimed.fence);
    let mut conn = worker.db.conn().await?;
    let is_ours = match next {
        Next::Sent { provider_id } => {
            let now = worker.clock.now();
            rows::record_sent(&mut conn, id, fence, provider_id.as_deref(), now).await?
        }
        Next::Retry { at, error } => rows::record_retry(&mut conn, id, fence, *at, error).await?,
        Next::Failed { error } => rows::record_failed(&mut conn, id, fence, error).await?,
    };
    Ok(is_ours)
}

fn recorded(claimed: &Claimed, next: &Next, is_ours: bool) {
    let id = claimed.id;
    if !is_ours {
        tracing::warn!(delivery.id = %id, "a delivery had passed to others, or was voided");
        return;
    }
    let result = match next {
        Next::Sent { .. } => "sent",
        Next::Retry { .. } => "retried",
        Next::Failed { .. } => "failed",
    };
    metrics::counter!("pulsemon_alerter_deliveries_total", "channel" => EMAIL, "result" => result)
        .increment(1);
    let attempts = claimed.attempts;
    match next {
        Next::Sent { .. } => tracing::info!(delivery.id = %id, attempts, "a mail was sent"),
        Next::Retry { at, .. } => {
            tracing::info!(delivery.id = %id, attempts, next_attempt_at = %at, "a mail waits");
        }
        Next::Failed { error } => {
            tracing::error!(delivery.id = %id, attempts, %error, "a mail was given up");
        }
    }
}
