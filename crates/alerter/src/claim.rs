//! Takes what is due, if the world still wants it sent.
//!
//! One short transaction: lock due deliveries, read the world, decide each, render what is sent
//! for the first time, take the lease. Sending happens outside any transaction (`send.rs`).

mod account;

use std::collections::HashMap;

use db::deliveries::claim::{self as rows, Due, World};
use models::Time;
use models::alert::{AlertFacts, DeliveryStatus, EndReason};
use models::id::DeliveryId;
use runtime::env::EmailVerification;
use tokio::time::Instant;
use uuid::Uuid;

use crate::channels::EMAIL;
use crate::lane::Lane;
use crate::letter::Letter;
use crate::render::{self, IncidentNow};
use crate::retry;
use crate::worker::Worker;

/// A delivery under our lease.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: DeliveryId,
    /// Only the holder of this number may write down what came of it.
    pub(crate) fence: i64,
    /// This attempt's number, from 1.
    pub(crate) attempts: u32,
    pub(crate) first_attempt_at: Time,
    pub(crate) letter: Letter,
    /// From before the lease was taken.
    pub(crate) since: Instant,
}

/// What a claim brought.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) claimed: Vec<Claimed>,
    /// There may be more that is due.
    pub(crate) was_full: bool,
}

/// Claims up to `limit` deliveries of a lane.
pub(crate) async fn claim(worker: &Worker, lane: Lane, limit: usize) -> Result<Claim, db::Error> {
    let since = Instant::now();
    let now = worker.clock.now();
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
    let plan = worker
        .db
        .transaction(async |conn: &mut db::Conn| {
            let due = rows::lock_due(conn, lane.as_str(), &[EMAIL], now, wanted).await?;
            if due.is_empty() {
                return Ok(Plan::default());
            }
            let ids: Vec<Uuid> = due.iter().map(|due| due.id).collect();
            let worlds = rows::worlds(conn, &ids).await?;
            let plan = Plan::make(worker, lane, due, worlds, now);
            plan.write(conn, now).await?;
            Ok::<_, db::Error>(plan)
        })
        .await?;
    let was_full = plan.send.len() + plan.end.len() == limit;
    for ending in &plan.end {
        ending.announce();
    }
    let claimed = plan
        .send
        .into_iter()
        .map(|sending| sending.claimed(since, now));
    Ok(Claim {
        claimed: claimed.collect(),
        was_full,
    })
}

/// What is done with the deliveries of one claim.
#[derive(Default)]
struct Plan {
    send: Vec<Sending>,
    end: Vec<Ending>,
}

struct Sending {
    due: Due,
    letter: Letter,
    stored: serde_json::Value,
}

struct Ending {
    id: Uuid,
    end: End,
}

/// Why a delivery ends without an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody wants it any more.
    Suppressed(&'static str),
    /// It cannot be sent, or not any more.
    Failed(String),
}

impl Plan {
    fn make(worker: &Worker, lane: Lane, due: Vec<Due>, worlds: Vec<World>, now: Time) -> Self {
        let mut worlds: HashMap<Uuid, World> =
            worlds.into_iter().map(|world| (world.id, world)).collect();
        let mut plan = Self::default();
        for due in due {
            let id = due.id;
            let Some(world) = worlds.remove(&id) else {
                continue; // locked by us, so it is there
            };
            match letter(worker, lane, &due, &world, now) {
                Ok((letter, stored)) => plan.send.push(Sending {
                    due,
                    letter,
                    stored,
                }),
                Err(end) => plan.end.push(Ending { id, end }),
            }
        }
        plan
    }

    async fn write(&self, conn: &mut db::Conn, now: Time) -> db::QueryResult<()> {
        if !self.send.is_empty() {
            let ids: Vec<Uuid> = self.send.iter().map(|sending| sending.due.id).collect();
            let letters: Vec<_> = self.send.iter().map(|s| s.stored.clone()).collect();
            let recipients: Vec<&str> = self.send.iter().map(|s| s.letter.to.as_str()).collect();
            rows::mark_sending(conn, &ids, &recipients, &letters, now).await?;
        }
        if !self.end.is_empty() {
            let ids: Vec<Uuid> = self.end.iter().map(|ending| ending.id).collect();
            let statuses: Vec<&str> = self.end.iter().map(|e| e.end.status().as_str()).collect();
            let reasons: Vec<&str> = self.end.iter().map(|e| e.end.reason()).collect();
            rows::settle(conn, &ids, &statuses, &reasons).await?;
        }
        Ok(())
    }
}

impl Sending {
    /// As the row is since [`Plan::write`].
    fn claimed(self, since: Instant, now: Time) -> Claimed {
        Claimed {
            id: DeliveryId(self.due.id),
            fence: self.due.fence + 1,
            attempts: u32::try_from(self.due.attempts).unwrap_or(0) + 1,
            first_attempt_at: self.due.first_attempt_at.unwrap_or(now),
            letter: self.letter,
            since,
        }
    }
}

impl Ending {
    fn announce(&self) {
        let (id, status, reason) = (self.id, self.end.status().as_str(), self.end.reason());
        metrics::counter!("pulsemon_alerter_deliveries_total", "channel" => EMAIL, "result" => status)
            .increment(1);
        match &self.end {
            End::Suppressed(_) => {
                tracing::info!(delivery.id = %id, reason, "a delivery was suppressed");
            }
            End::Failed(_) => tracing::error!(delivery.id = %id, reason, "a delivery failed"),
        }
    }
}

impl End {
    const fn status(&self) -> DeliveryStatus {
        match self {
            Self::Suppressed(_) => DeliveryStatus::Suppressed,
            Self::Failed(_) => DeliveryStatus::Failed,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Suppressed(reason) => reason,
            Self::Failed(reason) => reason,
        }
    }
}

/// The letter to send, as stored, or why there is none.
fn letter(
    worker: &Worker,
    lane: Lane,
    due: &Due,
    world: &World,
    now: Time,
) -> Result<(Letter, serde_json::Value), End> {
    if lane == Lane::Account {
        return account::letter(worker, due, world, now);
    }
    judge(world, worker.verification)?;
    require_time(due, now)?;
    // Where the owner is now: he may have moved since the alert, and between two attempts. A provider that took an
    // earlier one knows its key and lets no second mail out.
    let to = world.owner_email.as_deref();
    let to = to.ok_or_else(|| unusable(&"its owner has no address"))?;
    if let Some(stored) = &due.rendered {
        let letter: Letter =
            serde_json::from_value(stored.clone()).map_err(|error| unusable(&error))?;
        return Ok((letter.addressed_to(to), stored.clone()));
    }
    let facts = world
        .facts
        .clone()
        .ok_or_else(|| unusable(&"there is nothing to say"))?;
    let facts: AlertFacts = serde_json::from_value(facts).map_err(|error| unusable(&error))?;
    let incident = IncidentNow {
        ended_at: world.incident_ended_at,
        failed_checks: world
            .incident_failed_checks
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
    };
    let link = worker.links.dashboard(facts.service.id);
    let rendered =
        render::alert(&facts, incident, link.as_deref(), now).map_err(|error| unusable(&error))?;
    let letter = Letter::new(DeliveryId(due.id), &worker.from, to, rendered, now);
    let stored = serde_json::to_value(&letter).map_err(|error| unusable(&error))?;
    Ok((letter, stored))
}

/// Whether it may still be tried.
fn require_time(due: &Due, now: Time) -> Result<(), End> {
    if retry::is_over(due.first_attempt_at, now) {
        let reason = format!("given up after {} attempts", due.attempts);
        return Err(End::Failed(reason));
    }
    Ok(())
}

fn unusable(error: &dyn std::fmt::Display) -> End {
    End::Failed(format!("cannot be sent: {error}"))
}

/// Whether an alert is still wanted in this world.
fn judge(world: &World, verification: EmailVerification) -> Result<(), End> {
    match world.service_is_active {
        None => return Err(End::Suppressed("the service was deleted")),
        Some(false) => return Err(End::Suppressed("the service is paused")),
        Some(true) => {}
    }
    // Paused and resumed while the lease of a killed alerter ran: a pause voids, for good.
    let ended_by = world.incident_end_reason.as_deref();
    if ended_by.is_some_and(|reason| reason != EndReason::Recovered.as_str()) {
        return Err(End::Suppressed("the service was paused meanwhile"));
    }
    if world.owner_is_locked != Some(false) {
        return Err(End::Suppressed("the owner's account is locked or gone"));
    }
    if verification.is_required() && world.owner_is_verified != Some(true) {
        return Err(End::Suppressed("the owner's address is not confirmed"));
    }
    let followed = world.followed_status.as_deref();
    if world.follows && followed != Some(DeliveryStatus::Sent.as_str()) {
        return Err(End::Suppressed("the mail that it follows was never sent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World {
            id: Uuid::nil(),
            facts: None,
            service_is_active: Some(true),
            owner_is_locked: Some(false),
            follows: false,
            followed_status: None,
            incident_ended_at: None,
            incident_failed_checks: None,
            incident_end_reason: None,
            owner_is_verified: Some(false),
            owner_email: None,
            account_facts: None,
            token: None,
        }
    }

    fn is_suppressed(change: impl FnOnce(&mut World)) -> bool {
        let mut world = world();
        change(&mut world);
        matches!(
            judge(&world, EmailVerification::Off),
            Err(End::Suppressed(_))
        )
    }

    #[test]
    fn an_address_that_has_to_be_confirmed_and_is_not_gets_nothing() {
        let judged = |verified: bool, verification| {
            let owner_is_verified = Some(verified);
            let world = World {
                owner_is_verified,
                ..world()
            };
            judge(&world, verification).is_ok()
        };
        assert!(judged(false, EmailVerification::Off));
        assert!(judged(true, EmailVerification::Required));
        assert!(!judged(false, EmailVerification::Required));
    }

    #[test]
    fn nothing_is_sent_about_a_service_that_is_paused_or_deleted() {
        assert!(!is_suppressed(|_| {}));
        assert!(is_suppressed(|world| world.service_is_active = Some(false)));
        assert!(is_suppressed(|world| world.service_is_active = None));
        let ended = |reason: &str| {
            is_suppressed(|world| world.incident_end_reason = Some(reason.to_owned()))
        };
        assert!(ended("paused"), "and resumed since");
        assert!(!ended("recovered"));
    }

    #[test]
    fn nothing_is_sent_to_an_account_that_is_locked_or_gone() {
        assert!(is_suppressed(|world| world.owner_is_locked = Some(true)));
        assert!(is_suppressed(|world| world.owner_is_locked = None));
    }

    #[test]
    fn a_recovery_goes_only_after_a_failure_that_was_sent() {
        let after = |status: Option<&str>| {
            is_suppressed(|world| {
                world.follows = true;
                world.followed_status = status.map(str::to_owned);
            })
        };
        assert!(!after(Some("sent")));
        assert!(after(Some("failed")));
        assert!(after(Some("suppressed")));
        assert!(after(None), "the failure is gone");
    }
}
