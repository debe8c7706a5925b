//! Upkeep: partitions made ahead and dropped when their time is over, and history deleted in
//! small batches.
//!
//! Any number of schedulers may run it: the hourly part is done by whoever gets its lock, and
//! each deleted service is purged by one of them at a time.

use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use db::purge::{self, Aged};
use db::{Conn, partitions};
use models::Time;
use tokio::time::MissedTickBehavior;

use crate::{Config, Parts, metric};

/// How often partitions and aged history are looked after; the first time at the start.
const HOURLY: TimeDelta = TimeDelta::hours(1);
/// How often deleted services are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(5);
/// Rows of a table that one transaction deletes: a few milliseconds of work.
const BATCH: i64 = 5_000;
/// Between batches, so that deleting never takes the disk for itself.
const BREATH: Duration = Duration::from_millis(50);
/// How long after a failure the hourly part is tried again.
const AGAIN: TimeDelta = TimeDelta::minutes(1);

/// For how long the answer to an `Idempotency-Key` is given again.
const ANSWERS: TimeDelta = TimeDelta::hours(24);

/// For how long what is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    partitions: partitions::Keep,
    history: TimeDelta,
    audit: TimeDelta,
}

impl Keep {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            partitions: partitions::Keep {
                results: config.retention_days,
                ..partitions::Keep::default()
            },
            history: TimeDelta::days(i64::from(config.history_days)),
            audit: TimeDelta::days(i64::from(config.audit_days)),
        }
    }
}

/// Looks after history until shutdown.
pub(crate) async fn run(parts: Parts, keep: Keep) {
    let mut next = parts.clock.now();
    let mut sweep = tokio::time::interval(PURGE_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = parts.shutdown.requested() => return,
            () = parts.clock.sleep_until(next) => {
                // From the beginning: time may be moved meanwhile.
                let begun = parts.clock.now();
                let wait = match unless_stopped(&parts, upkeep(&parts, begun, keep)).await {
                    Ok(()) => HOURLY,
                    Err(error) => {
                        tracing::warn!("upkeep is tried again in a minute: {error:#}");
                        AGAIN
                    }
                };
                next = begun + wait;
            },
            _ = sweep.tick() => if let Err(error) = purge_deleted(&parts).await {
                tracing::warn!("history of deleted services is purged later: {error:#}");
            },
        }
    }
}

/// Upkeep may wait for locks; each of its steps can be left undone.
async fn unless_stopped(
    parts: &Parts,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        () = parts.shutdown.requested() => Ok(()),
        done = work => done,
    }
}

async fn upkeep(parts: &Parts, now: Time, keep: Keep) -> anyhow::Result<()> {
    let Some(_alone) = purge::alone(&parts.db).await? else {
        return Ok(());
    };
    let made = partitions::ensure(&parts.db, now, keep.partitions)
        .await
        .context("make partitions ahead")?;
    let dropped = partitions::drop_expired(&parts.db, now, keep.partitions)
        .await
        .context("drop old partitions")?;
    if !made.is_empty() || !dropped.is_empty() {
        tracing::info!(
            made = made.len(),
            dropped = dropped.len(),
            "partitions looked after"
        );
    }
    let oldest = now - keep.history;
    delete_aged(parts, Aged::Incidents, oldest).await?;
    delete_aged(parts, Aged::Alerts, oldest).await?;
    delete_aged(parts, Aged::RefreshTokens, now).await?;
    delete_aged(parts, Aged::AuditLog, now - keep.audit).await?;
    delete_aged(parts, Aged::RateLimits, now).await?;
    delete_aged(parts, Aged::IdempotencyKeys, now - ANSWERS).await
}

async fn delete_aged(parts: &Parts, what: Aged, before: Time) -> anyhow::Result<()> {
    let label = match what {
        Aged::Incidents => "incidents",
        Aged::Alerts => "alerts",
        Aged::RefreshTokens => "refresh_tokens",
        Aged::AuditLog => "audit_log",
        Aged::RateLimits => "rate_limits",
        Aged::IdempotencyKeys => "idempotency_keys",
    };
    loop {
        let mut conn = parts.db.conn().await?;
        let deleted = purge::delete_aged(&mut conn, what, before, BATCH)
            .await
            .with_context(|| format!("delete old {label}"))?;
        drop(conn);
        metric::purged(label, deleted);
        if deleted == 0 {
            return Ok(());
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Deletes the history of deleted services, batch by batch, until none is left.
async fn purge_deleted(parts: &Parts) -> anyhow::Result<()> {
    while !parts.shutdown.is_requested() {
        let deleted = parts
            .db
            .transaction(async |conn: &mut Conn| {
                let Some(service) = purge::lock_next(conn).await? else {
                    return anyhow::Ok(None);
                };
                let deleted = purge::delete_batch(conn, service, BATCH).await?;
                Ok(Some(deleted))
            })
            .await?;
        let Some(deleted) = deleted else {
            return Ok(());
        };
        metric::purged("deleted_services", deleted);
        tokio::time::sleep(BREATH).await;
    }
    Ok(())
}
