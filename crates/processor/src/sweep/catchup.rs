//! Slow services whose newest slot has no result get one probe in its place: with an interval of
//! minutes or hours, nobody wants to wait for the next slot after an outage of ours.

use chrono::{DateTime, TimeDelta};
use db::Conn;
use db::health::catchup::{self as table, Missing, Slow};
use models::Time;
use models::id::ServiceId;
use models::probe::ProbeKind;
use models::slot::Slots;
use models::window::settled_at;
use uuid::Uuid;

use crate::batch::Failed;
use crate::worker::Worker;

/// Probes in place of slots are spread over this long, by the service's hash.
const JITTER_MS: u64 = 60_000;
/// Services of one look.
const ROWS: i64 = 1000;
/// Looks of one sweep; the next goes on where it ended.
const LOOKS: usize = 5;

/// A walk through all slow services, in the order of their ids.
#[derive(Debug)]
pub(super) struct Round {
    after: Uuid,
}

impl Round {
    pub(super) const fn new() -> Self {
        Self { after: Uuid::nil() }
    }

    /// Looks at the next services, and asks for the probes that they miss.
    pub(super) async fn go_on(&mut self, worker: &Worker) -> Result<(), Failed> {
        for _ in 0..LOOKS {
            let now = worker.clock.now();
            let mut conn = worker.db.conn().await?;
            let slow = table::slow(&mut conn, self.after, ROWS).await?;
            drop(conn);
            let missing: Vec<Missing> = slow.iter().filter_map(|slow| missing(slow, now)).collect();
            if !missing.is_empty() {
                ask(worker, &missing, now).await?;
            }
            let is_last = i64::try_from(slow.len()).is_ok_and(|rows| rows < ROWS);
            self.after = match slow.last() {
                Some(last) if !is_last => last.service_id,
                _ => Uuid::nil(),
            };
            if is_last {
                break;
            }
        }
        Ok(())
    }
}

async fn ask(worker: &Worker, missing: &[Missing], now: Time) -> Result<(), Failed> {
    let asked = worker
        .db
        .transaction(async |conn: &mut Conn| {
            let slot = ProbeKind::Slot.code();
            Ok::<usize, Failed>(table::ask(conn, missing, slot, now).await?)
        })
        .await?;
    if asked > 0 {
        let count = crate::rows::count(asked);
        metrics::counter!("pulsemon_processor_catchups_total").increment(count);
        tracing::info!(asked, "asked for probes in place of missed slots");
    }
    Ok(())
}

/// The newest settled slot, if nothing is known of it and nobody asked for it. Whether it has a
/// result that moved no state is for the query to see.
fn missing(slow: &Slow, now: Time) -> Option<Missing> {
    let interval_ms = u32::try_from(slow.interval_ms).ok()?;
    let phase_ms = u32::try_from(slow.phase_ms).ok()?;
    let slot = Slots::new(interval_ms, phase_ms).last_at(settled_at(now));
    let is_known = slow.last_scheduled_at.is_some_and(|last| last >= slot);
    if slot < slow.from_at || is_known || slow.catchup_for == Some(slot) {
        return None;
    }
    let jitter_ms = ServiceId(slow.service_id).hash62() % JITTER_MS;
    let jitter = TimeDelta::milliseconds(i64::try_from(jitter_ms).unwrap_or(0));
    // Whole milliseconds, as the probe's id has them.
    let at = DateTime::from_timestamp_millis((now + jitter).timestamp_millis())?;
    Some(Missing {
        service_id: slow.service_id,
        region: slow.region.clone(),
        slot,
        at,
        config_version: slow.config_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i32 = 3_600_000;

    fn at(minutes: i64) -> Time {
        DateTime::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    fn slow(last: Option<Time>) -> Slow {
        Slow {
            service_id: Uuid::from_u128(0x1_0000 + 7),
            region: String::from("default"),
            config_version: 3,
            interval_ms: HOUR_MS,
            phase_ms: 0,
            from_at: at(-600),
            last_scheduled_at: last,
            catchup_for: None,
        }
    }

    #[test]
    fn a_slot_is_missed_once_it_is_older_than_three_minutes() {
        let slow = slow(Some(at(-60)));
        assert_eq!(missing(&slow, at(2)), None);
        let missed = missing(&slow, at(3)).unwrap();
        assert_eq!((missed.slot, missed.config_version), (at(0), 3));
        let wait = missed.at - at(3);
        assert!(
            wait >= TimeDelta::zero() && wait < TimeDelta::seconds(60),
            "{wait}"
        );
    }

    #[test]
    fn a_slot_is_asked_for_once_and_not_where_a_newer_result_stands() {
        assert_eq!(missing(&slow(Some(at(0))), at(5)), None);
        assert_eq!(missing(&slow(Some(at(1))), at(5)), None);
        assert!(missing(&slow(None), at(5)).is_some());
        let asked = Slow {
            catchup_for: Some(at(0)),
            ..slow(None)
        };
        assert_eq!(missing(&asked, at(5)), None);
        assert!(missing(&asked, at(65)).is_some(), "the next slot");
    }

    #[test]
    fn a_slot_before_the_span_was_never_due() {
        let fresh = Slow {
            from_at: at(1),
            ..slow(None)
        };
        assert_eq!(missing(&fresh, at(30)), None);
    }
}
