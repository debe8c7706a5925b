//! Probes outside the schedule: dispatched as soon as their row is found, by a nudge or by the
//! sweep of every second, and deleted after the confirm.

mod job;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Delivery, PublishOutcome, Subscription, ack_all, decode};
use chrono::TimeDelta;
use db::extra_probes::{self, Claim, DueProbe};
use models::Time;
use models::message::ProbeRequest;
use tokio::time::MissedTickBehavior;

use crate::batch::Batches;
use crate::{Parts, metric};
use job::{Unwanted, job};

/// Nudges in hand at a time; many of them mean one look at the table.
pub(crate) const PREFETCH: u16 = 200;
/// How soon a row is found that nobody announced, and how often a refused one is tried again.
const SWEEP: Duration = Duration::from_secs(1);
/// A refused row's next try: well before the next sweep, so that this one finds it.
const AGAIN: TimeDelta = TimeDelta::milliseconds(500);
/// Rows of one claim. At most so many messages: the broker's answers come within one confirm timeout.
const AT_A_TIME: usize = 200;
/// Whoever wrote a row did so by a clock of its own: a row that was nudged must not look as if its
/// time were still to come. A prober waits for `scheduled_at` anyway.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);
/// How long a claimed row is ours: longer than a publish waits for its confirms. After it, the row
/// of a scheduler that died is found again.
const CLAIM: TimeDelta = TimeDelta::seconds(5);

/// Dispatches until shutdown.
pub(crate) async fn run(parts: Parts, mut requests: Subscription) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let nudges = tokio::select! {
            () = parts.shutdown.requested() => return,
            _ = sweep.tick() => Vec::new(),
            nudge = requests.next() => match nudge {
                Some(nudge) => all_here(nudge, &mut requests),
                None => return,
            },
        };
        if let Err(error) = all_due(&parts).await {
            tracing::warn!("extra probes are tried again within a second: {error:#}");
        }
        // Whatever came of it: the rows are the truth, and the sweep finds them.
        settle(nudges).await;
    }
}

fn all_here(first: Delivery, requests: &mut Subscription) -> Vec<Delivery> {
    let mut nudges = vec![first];
    while nudges.len() < usize::from(PREFETCH) {
        match requests.try_next() {
            Some(nudge) => nudges.push(nudge),
            None => break,
        }
    }
    nudges
}

async fn settle(nudges: Vec<Delivery>) {
    let mut good = Vec::with_capacity(nudges.len());
    for nudge in nudges {
        match decode::<ProbeRequest>(&nudge) {
            Ok(_) => good.push(nudge),
            Err(error) => {
                if let Err(error) = nudge.bury(&error.to_string()).await {
                    tracing::warn!("{error:#}");
                }
            }
        }
    }
    ack_all(good).await;
}

/// Dispatches what is due, until nothing is or all of it has to wait. A region that refuses is left
/// alone until the next look, so that it holds up no other.
async fn all_due(parts: &Parts) -> anyhow::Result<()> {
    let (mut waiting, mut refused) = (0, Vec::new());
    loop {
        let done = some_due(parts, &refused).await?;
        done.count();
        waiting += done.waiting;
        refused.extend(done.refused_by);
        if done.found < AT_A_TIME || parts.shutdown.is_requested() {
            metric::extra_waiting(waiting);
            return Ok(());
        }
    }
}

/// Claims rows, publishes their jobs with confirms, then deletes them. Nothing is locked while the
/// broker is awaited, so an edit of a service never waits for it. Whoever dies in between leaves
/// rows that are published again, with the same probe ids.
async fn some_due(parts: &Parts, except: &[String]) -> anyhow::Result<Done> {
    let now = parts.clock.now();
    let rows = claim(parts, now, except).await?;
    let mut done = Done {
        found: rows.len(),
        ..Done::default()
    };
    let mut finished = Vec::with_capacity(rows.len());
    let mut batches = Batches::new(now, &parts.keys);
    for row in &rows {
        match job(row, now, &parts.regions) {
            Ok(job) => batches.push(job, row)?,
            Err(Unwanted(reason)) => {
                done.dropped.push(reason);
                finished.push(row);
            }
        }
    }
    let answered = publish(parts, batches).await?;
    done.dispatched = answered.sent.iter().map(|row| row.kind.clone()).collect();
    done.waiting = answered.waiting.len();
    done.refused_by = answered
        .waiting
        .iter()
        .map(|row| row.region.clone())
        .collect();
    finished.extend(answered.sent);
    settle_rows(parts, &finished, &answered.waiting).await?;
    Ok(done)
}

async fn claim(parts: &Parts, now: Time, except: &[String]) -> anyhow::Result<Vec<DueProbe>> {
    let claim = Claim {
        now: now + SLACK,
        until: now + CLAIM,
        except,
        limit: i64::try_from(AT_A_TIME)?,
    };
    let mut conn = parts.db.conn().await?;
    let mut rows = extra_probes::claim_due(&mut conn, &claim)
        .await
        .context("claim due extra probes")?;
    rows.sort_by_key(|row| row.scheduled_at);
    Ok(rows)
}

async fn settle_rows(
    parts: &Parts,
    finished: &[&DueProbe],
    waiting: &[&DueProbe],
) -> anyhow::Result<()> {
    if finished.is_empty() && waiting.is_empty() {
        return Ok(());
    }
    let mut conn = parts.db.conn().await?;
    if !finished.is_empty() {
        extra_probes::delete(&mut conn, finished)
            .await
            .context("delete extra probes")?;
    }
    if !waiting.is_empty() {
        extra_probes::put_back(&mut conn, waiting, parts.clock.now() + AGAIN)
            .await
            .context("put extra probes back")?;
    }
    Ok(())
}

/// What the broker said of each row's job.
#[derive(Debug, Default)]
struct Answered<'a> {
    sent: Vec<&'a DueProbe>,
    /// Refused, or without an answer.
    waiting: Vec<&'a DueProbe>,
}

async fn publish<'a>(
    parts: &Parts,
    batches: Batches<'_, &'a DueProbe>,
) -> anyhow::Result<Answered<'a>> {
    let (mut messages, mut rows) = (Vec::new(), Vec::new());
    for batch in batches.finish()? {
        messages.push(batch.message);
        rows.push(batch.items);
    }
    let mut answered = Answered::default();
    let outcomes = match parts.bus.publisher().publish(messages).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::debug!("extra probes wait: {error}");
            answered.waiting = rows.into_iter().flatten().collect();
            return Ok(answered);
        }
    };
    for (rows, outcome) in rows.into_iter().zip(outcomes) {
        match outcome {
            PublishOutcome::Stored => answered.sent.extend(rows),
            PublishOutcome::Refused | PublishOutcome::Unroutable => answered.waiting.extend(rows),
        }
    }
    Ok(answered)
}

/// What one look did.
#[derive(Debug, Default)]
struct Done {
    found: usize,
    /// By kind, as stored.
    dispatched: Vec<String>,
    dropped: Vec<&'static str>,
    waiting: usize,
    refused_by: BTreeSet<String>,
}

impl Done {
    fn count(&self) {
        for kind in &self.dispatched {
            metric::extra_dispatched(kind);
        }
        for reason in &self.dropped {
            metric::extra_dropped(reason);
        }
    }
}
