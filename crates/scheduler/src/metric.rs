//! What the scheduler counts. Labels: `region` (the configured ones and `unknown`), `kind` of a
//! probe, `reason`.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// Slots whose jobs the broker has.
pub(crate) fn slots_dispatched(region: &str, slots: u64) {
    counter!("pulsemon_scheduler_slots_dispatched_total", "region" => region.to_owned())
        .increment(slots);
}

/// Slots that will have no probe: `refused` (the region's queue is full), `stale` (too late to
/// send), `unknown_region`.
pub(crate) fn slots_missed(region: &str, reason: &'static str, slots: u64) {
    counter!("pulsemon_scheduler_slots_missed_total", "region" => region.to_owned(), "reason" => reason)
        .increment(slots);
}

/// Time that no window will cover, because all schedulers were away for longer than they catch up.
pub(crate) fn skipped(time: Duration) {
    counter!("pulsemon_scheduler_skipped_milliseconds_total")
        .increment(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
}

/// How far behind its due moment the window taken last was; above 1 s the schedule lags.
pub(crate) fn window_lag(lag: Duration) {
    gauge!("pulsemon_scheduler_window_lag_seconds").set(lag.as_secs_f64());
}

/// How long a window took from lock to commit.
pub(crate) fn window_took(time: Duration) {
    histogram!("pulsemon_scheduler_window_seconds").record(time.as_secs_f64());
}

/// Windows that were not finished and are tried again.
pub(crate) fn window_dropped() {
    counter!("pulsemon_scheduler_windows_dropped_total").increment(1);
}

/// Cursors found absurdly far ahead.
pub(crate) fn cursor_reset() {
    counter!("pulsemon_scheduler_cursor_resets_total").increment(1);
}

/// Extra probes whose jobs the broker has.
pub(crate) fn extra_dispatched(kind: &str) {
    counter!("pulsemon_scheduler_extra_dispatched_total", "kind" => kind.to_owned()).increment(1);
}

/// Extra probes deleted unsent: `paused`, `version`, `stale`, `unknown`.
pub(crate) fn extra_dropped(reason: &'static str) {
    counter!("pulsemon_scheduler_extra_dropped_total", "reason" => reason).increment(1);
}

/// Extra probes that found no room or no broker at the last look; they are tried again.
pub(crate) fn extra_waiting(probes: usize) {
    gauge!("pulsemon_scheduler_extra_waiting").set(u32::try_from(probes).unwrap_or(u32::MAX));
}

/// Rows that the background deleted.
pub(crate) fn purged(what: &'static str, rows: usize) {
    counter!("pulsemon_scheduler_purged_rows_total", "what" => what)
        .increment(u64::try_from(rows).unwrap_or(u64::MAX));
}
