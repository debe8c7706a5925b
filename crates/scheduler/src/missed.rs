//! Missed slots in the log: now and then, and not with every window.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of the log.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// What is too late to send so soon after the start was due before it, while nobody was there.
const STARTING: Duration = Duration::from_secs(60);

/// Slots by region and reason.
pub(crate) type Missed = BTreeMap<(String, &'static str), u64>;

/// What was missed since it was last told.
#[derive(Debug)]
pub(crate) struct MissedLog {
    started: Instant,
    told_at: Option<Instant>,
    untold: Missed,
}

impl MissedLog {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            started: now,
            told_at: None,
            untold: BTreeMap::new(),
        }
    }

    /// Adds what a window missed, and tells the sums where it is time to.
    pub(crate) fn note(&mut self, missed: &Missed, now: Instant) {
        for (place, slots) in missed {
            *self.untold.entry(place.clone()).or_default() += slots;
        }
        for ((region, reason), slots) in self.due(now) {
            if reason == "stale" && now.duration_since(self.started) < STARTING {
                tracing::info!(
                    region,
                    reason,
                    slots,
                    "slots of the time before the start are missed"
                );
            } else {
                tracing::warn!(region, reason, slots, "slots are missed");
            }
        }
    }

    /// All that is untold, if enough time has passed.
    fn due(&mut self, now: Instant) -> Missed {
        let is_time = self
            .told_at
            .is_none_or(|told_at| now.duration_since(told_at) >= TELL_EVERY);
        if !is_time || self.untold.is_empty() {
            return Missed::new();
        }
        self.told_at = Some(now);
        std::mem::take(&mut self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(slots: u64) -> Missed {
        Missed::from([(("default".to_owned(), "refused"), slots)])
    }

    #[test]
    fn the_first_is_told_at_once_and_the_next_ones_as_a_sum() {
        let now = Instant::now();
        let mut log = MissedLog::new(now);
        log.note(&Missed::new(), now);
        assert_eq!(log.told_at, None);
        log.note(&missed(3), now);
        assert_eq!(log.told_at, Some(now));
        log.note(&missed(4), now + TELL_EVERY / 2);
        log.note(&missed(5), now + TELL_EVERY / 2);
        assert_eq!(log.due(now + TELL_EVERY), missed(9));
        assert_eq!(log.due(now + 2 * TELL_EVERY), Missed::new());
    }
}
