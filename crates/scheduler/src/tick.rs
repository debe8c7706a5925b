//! The schedule: takes a cursor, dispatches the slots of its next window, moves it.
//!
//! One window is one transaction around the publish: lock a free cursor, read what is due,
//! publish with confirms, move the cursor, commit. A crash in between repeats the window with
//! the same probe ids.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use bus::PublishOutcome;
use chrono::TimeDelta;
use db::Conn;
use db::cursor::{self, DueService, Held, Wanted};
use models::Time;
use models::message::ProbeJob;
use models::probe::{ProbeKind, probe_id};
use models::slot::not_after;
use runtime::Backoff;
use tokio::time::Instant;

use crate::batch::{Batch, Batches};
use crate::missed::{Missed, MissedLog};
use crate::plan::{self, Window};
use crate::{Parts, metric};

/// A cursor held for longer may have been given to somebody else (the server ends idle
/// transactions after 5 s): the window is dropped.
const HOLD: Duration = Duration::from_secs(4);
/// Between passes over the cursors: this, up to twice. Jittered, so that schedulers do not queue
/// up for the same cursors.
const PAUSE: Duration = Duration::from_millis(250);
/// After a window that failed. Short: after 30 s of it slots are lost.
const RETRY: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
/// Windows that fail for so long are worth a line: at a start the broker may answer later.
const WORTH_TELLING: Duration = Duration::from_secs(10);
/// The label of regions that are not configured.
const UNKNOWN_REGION: &str = "unknown";

/// Dispatches until shutdown.
pub(crate) async fn run(parts: Parts) {
    let mut failures = 0;
    let mut waiting: Option<Waiting> = None;
    let mut memory = Memory {
        failed: Vec::new(),
        missed: MissedLog::new(Instant::now()),
    };
    while !parts.shutdown.is_requested() {
        let pause = match pass(&parts, &mut memory).await {
            Ok(()) => {
                if waiting.take().is_some_and(|waiting| waiting.told) {
                    tracing::info!(failures, "the schedule goes on");
                }
                failures = 0;
                PAUSE.mul_f64(1.0 + rand::random::<f64>())
            }
            Err(error) => {
                metric::window_dropped();
                failures += 1;
                let waiting = waiting.get_or_insert_with(Waiting::begin);
                if waiting.is_news() {
                    tracing::warn!("the schedule waits, its windows are tried again: {error:#}");
                } else {
                    tracing::debug!(failures, "a window is tried again: {error:#}");
                }
                RETRY.jittered(failures)
            }
        };
        tokio::select! {
            () = parts.shutdown.requested() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What is kept between windows, and may be lost.
struct Memory {
    /// The shards that went wrong last, so that one of them does not keep the others from their
    /// turn.
    failed: Vec<i16>,
    missed: MissedLog,
}

/// Windows fail since then.
struct Waiting {
    since: Instant,
    told: bool,
}

impl Waiting {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            told: false,
        }
    }

    /// Once, when it lasts.
    fn is_news(&mut self) -> bool {
        let is_news = !self.told && self.since.elapsed() >= WORTH_TELLING;
        self.told |= is_news;
        is_news
    }
}

/// Takes free cursors until none is due.
async fn pass(parts: &Parts, memory: &mut Memory) -> anyhow::Result<()> {
    while !parts.shutdown.is_requested() {
        match one_window(parts, memory).await {
            Ok(true) => {}
            Ok(false) if memory.failed.is_empty() => return Ok(()),
            Ok(false) => memory.failed.clear(),
            Err(error) => {
                memory
                    .failed
                    .extend(error.downcast_ref().map(|InShard(shard)| *shard));
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whose window went wrong.
#[derive(Debug, thiserror::Error)]
#[error("shard {0}")]
struct InShard(i16);

/// One window of one cursor; false if no cursor was due. An error leaves the cursor as it was.
async fn one_window(parts: &Parts, memory: &mut Memory) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let failed = memory.failed.as_slice();
    let dispatched = parts
        .db
        .transaction(async |conn: &mut Conn| {
            // Earlier than the lock, so on the safe side of it.
            let deadline = Instant::now() + HOLD;
            let Some(held) = cursor::lock_free(conn, wanted(parts), failed).await? else {
                return anyhow::Ok(None);
            };
            let shard = held.shard;
            let work = dispatch(parts, conn, held, Instant::now());
            let sums = match tokio::time::timeout_at(deadline, work).await {
                Ok(sums) => sums.context(InShard(shard))?,
                Err(late) => return Err(anyhow::Error::new(late).context(InShard(shard))),
            };
            Ok(Some(sums))
        })
        .await?;
    let Some(sums) = dispatched else {
        return Ok(false);
    };
    sums.count();
    memory.missed.note(&sums.missed, Instant::now());
    metric::window_took(begun.elapsed());
    Ok(true)
}

fn wanted(parts: &Parts) -> Wanted {
    Wanted {
        shift: parts.clock.shift(),
        behind: plan::LEAD - plan::STEP,
        beyond: plan::LEAD + plan::ABSURD,
    }
}

async fn dispatch(
    parts: &Parts,
    conn: &mut Conn,
    held: Held,
    locked: Instant,
) -> anyhow::Result<Sums> {
    let window = plan::window(&held);
    note(&held, &window);
    let ranges = plan::phase_ranges(&window);
    let services = if ranges.is_empty() {
        Vec::new()
    } else {
        cursor::due_services(conn, held.shard, &ranges)
            .await
            .context("read due services")?
    };
    let published_at = held.now + TimeDelta::from_std(locked.elapsed())?;
    let mut sums = Sums::default();
    let batches = jobs(parts, &services, &window, published_at, &mut sums)?;
    publish(parts, batches, &mut sums).await?;
    cursor::advance(conn, held.shard, window.through)
        .await
        .context("move the cursor")?;
    Ok(sums)
}

fn note(held: &Held, window: &Window) {
    if window.reset {
        metric::cursor_reset();
        tracing::error!(
            shard = held.shard,
            through = ?held.scheduled_through,
            now = %held.now,
            "a schedule cursor lay far in the future and is reset: was the database's clock set back?"
        );
    }
    metric::skipped(window.skipped.to_std().unwrap_or_default());
    let lag = held.now + plan::LEAD - plan::STEP - window.after + window.skipped;
    metric::window_lag(lag.to_std().unwrap_or_default());
}

/// The jobs of all slots of the window that are not stale yet.
fn jobs(
    parts: &Parts,
    services: &[DueService],
    window: &Window,
    now: Time,
    sums: &mut Sums,
) -> anyhow::Result<Vec<Batch<()>>> {
    let mut batches = Batches::new(now, &parts.keys);
    for service in services {
        for slot in plan::slots(service, window) {
            for region in &service.regions {
                if !parts.regions.contains(region) {
                    sums.missed(UNKNOWN_REGION, "unknown_region", 1);
                    continue;
                }
                let job = job(service, region, slot)?;
                if job.not_after <= now {
                    sums.missed(region, "stale", 1);
                    continue;
                }
                batches.push(job, ())?;
            }
        }
    }
    Ok(batches.finish()?)
}

fn job(service: &DueService, region: &str, slot: Time) -> anyhow::Result<ProbeJob> {
    let service_id = service.id.into();
    let (kind, version) = (ProbeKind::Slot, service.config_version);
    Ok(ProbeJob {
        probe_id: probe_id(service_id, region, kind, slot, version),
        service_id,
        user_id: service.user_id.into(),
        kind,
        region: region.to_owned(),
        scheduled_at: slot,
        not_after: not_after(slot, service.interval_ms.try_into()?),
        config_version: version,
        url: service.url.clone(),
        timeout_ms: service.timeout_ms.try_into()?,
        expected_status: service.expected_status.try_into()?,
        follow_redirects: service.follow_redirects,
        avoid_prober: None,
        answers: None,
        signature: None, // when its batch is filled
    })
}

/// A full queue misses its slots; an absent one, or a broker that is away, fails the window.
async fn publish(parts: &Parts, batches: Vec<Batch<()>>, sums: &mut Sums) -> anyhow::Result<()> {
    if batches.is_empty() {
        return Ok(());
    }
    let mut sizes = Vec::with_capacity(batches.len());
    let mut messages = Vec::with_capacity(batches.len());
    for batch in batches {
        sizes.push((batch.region, batch.items.len()));
        messages.push(batch.message);
    }
    let outcomes = parts.bus.publisher().publish(messages).await?;
    for ((region, slots), outcome) in sizes.into_iter().zip(outcomes) {
        let slots = u64::try_from(slots)?;
        match outcome {
            PublishOutcome::Stored => sums.dispatched(&region, slots),
            PublishOutcome::Refused => sums.missed(&region, "refused", slots),
            PublishOutcome::Unroutable => {
                anyhow::bail!("region {region} has no queue for jobs yet")
            }
        }
    }
    Ok(())
}

/// What a window did, counted once it is committed.
#[derive(Debug, Default)]
struct Sums {
    dispatched: BTreeMap<String, u64>,
    missed: Missed,
}

impl Sums {
    fn dispatched(&mut self, region: &str, slots: u64) {
        *self.dispatched.entry(region.to_owned()).or_default() += slots;
    }

    fn missed(&mut self, region: &str, reason: &'static str, slots: u64) {
        *self.missed.entry((region.to_owned(), reason)).or_default() += slots;
    }

    fn count(&self) {
        for (region, slots) in &self.dispatched {
            metric::slots_dispatched(region, *slots);
        }
        for ((region, reason), slots) in &self.missed {
            metric::slots_missed(region, reason, *slots);
        }
    }
}
