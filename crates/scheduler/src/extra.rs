//! Probes outside the schedule: dispatched as soon as their row is found, by a nudge or by the
//! sweep of every second, and deleted with the confirm.

mod job;

use std::time::Duration;

use anyhow::Context as _;
use bus::{Delivery, Subscription, ack_all, decode};
use chrono::TimeDelta;
use db::Conn;
use db::extra_probes::{self, DueProbe};
use models::message::ProbeRequest;
use tokio::time::{Instant, MissedTickBehavior};

use crate::batch::Batches;
use crate::{Parts, metric};
use job::{Unwanted, job};

/// Nudges in hand at a time; many of them mean one look at the table.
pub(crate) const PREFETCH: u16 = 200;
/// How soon a row is found that nobody announced, and how often a refused one is tried again.
const SWEEP: Duration = Duration::from_secs(1);
/// Rows of one transaction.
const AT_A_TIME: usize = 200;
/// Whoever wrote a row did so by a clock of its own: a row that was nudged must not look as if its
/// time were still to come. A prober waits for `scheduled_at` anyway.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);
/// As for cursors: rows held for longer may be somebody else's.
const HOLD: Duration = Duration::from_secs(4);

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

/// Dispatches what is due, until nothing is or something has to wait.
async fn all_due(parts: &Parts) -> anyhow::Result<()> {
    loop {
        let done = parts
            .db
            .transaction(async |conn: &mut Conn| {
                let deadline = Instant::now() + HOLD;
                tokio::time::timeout_at(deadline, some_due(parts, conn))
                    .await
                    .context("rows were held for too long")?
            })
            .await?;
        done.count();
        let more = done.found >= AT_A_TIME && done.waiting == 0;
        if !more || parts.shutdown.is_requested() {
            return Ok(());
        }
    }
}

async fn some_due(parts: &Parts, conn: &mut Conn) -> anyhow::Result<Done> {
    let now = parts.clock.now();
    let rows = extra_probes::lock_due(conn, now + SLACK, i64::try_from(AT_A_TIME)?)
        .await
        .context("read due extra probes")?;
    let mut done = Done {
        found: rows.len(),
        ..Done::default()
    };
    let mut finished = Vec::with_capacity(rows.len());
    let mut batches = Batches::new(now);
    for row in &rows {
        match job(row, now, &parts.regions) {
            Ok(job) => batches.push(job, row)?,
            Err(Unwanted(reason)) => {
                done.dropped.push(reason);
                finished.push(row);
            }
        }
    }
    let sent = publish(parts, batches).await?;
    done.waiting = rows.len() - finished.len() - sent.len();
    done.dispatched = sent.iter().map(|row| row.kind.clone()).collect();
    finished.extend(sent);
    extra_probes::delete(conn, &finished)
        .await
        .context("delete extra probes")?;
    Ok(done)
}

/// The rows whose jobs the broker has; the others stay for the next sweep.
async fn publish<'a>(
    parts: &Parts,
    batches: Batches<&'a DueProbe>,
) -> anyhow::Result<Vec<&'a DueProbe>> {
    let (mut messages, mut rows) = (Vec::new(), Vec::new());
    for batch in batches.finish()? {
        messages.push(batch.message);
        rows.push(batch.items);
    }
    let outcomes = match parts.bus.publisher().publish(messages).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::debug!("extra probes wait: {error}");
            return Ok(Vec::new());
        }
    };
    let stored = rows
        .into_iter()
        .zip(outcomes)
        .filter(|(_, outcome)| outcome.is_stored());
    Ok(stored.flat_map(|(rows, _)| rows).collect())
}

/// What one transaction did, counted once it is committed.
#[derive(Debug, Default)]
struct Done {
    found: usize,
    /// By kind, as stored.
    dispatched: Vec<String>,
    dropped: Vec<&'static str>,
    waiting: usize,
}

impl Done {
    fn count(&self) {
        for kind in &self.dispatched {
            metric::extra_dispatched(kind);
        }
        for reason in &self.dropped {
            metric::extra_dropped(reason);
        }
        metric::extra_waiting(self.waiting);
    }
}
