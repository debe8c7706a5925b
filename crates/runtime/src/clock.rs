//! The product's one clock: PostgreSQL's time, read from a monotonic local clock.
//!
//! `now` = the OS clock as it was at the start, plus monotonic time since, plus the measured
//! offset to the server, plus a shift that only whoever built the clock can set (tests move
//! time with it). Whoever has a server to ask calls [`Clock::set_server_time`] or
//! [`Clock::set_offset`]; this crate knows none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

/// A settable distance between real time and the product's time, shared by all clones.
/// Zero in production: a process makes its clock with [`Clock::system`].
#[derive(Clone)]
pub struct ClockShift {
    micros: Arc<watch::Sender<i64>>,
}

impl ClockShift {
    /// No shift yet.
    pub fn new() -> Self {
        Self {
            micros: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Moves every clock built on this shift to real time plus `shift`; sleepers notice at once.
    pub fn set(&self, shift: TimeDelta) {
        self.micros.send_replace(micros(shift));
    }

    /// Moves every clock built on this shift further by `by` (which may be negative).
    pub fn advance(&self, by: TimeDelta) {
        self.micros
            .send_modify(|at| *at = at.saturating_add(micros(by)));
    }

    /// The present shift.
    pub fn current(&self) -> TimeDelta {
        TimeDelta::microseconds(*self.micros.borrow())
    }
}

impl Default for ClockShift {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClockShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClockShift").field(&self.current()).finish()
    }
}

/// Cheap to clone; all clones share the measured offset and the shift.
#[derive(Clone)]
pub struct Clock {
    origin: Instant,
    /// Since 1970.
    origin_micros: i64,
    offset_micros: Arc<watch::Sender<i64>>,
    shift: ClockShift,
}

impl Clock {
    /// Starts from the OS clock, with no shift.
    pub fn system() -> Self {
        Self::with_shift(ClockShift::new())
    }

    /// Starts from the OS clock and follows `shift`.
    pub fn with_shift(shift: ClockShift) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the clock is where the OS time enters"
        )]
        let origin_micros = Utc::now().timestamp_micros();
        Self {
            origin: Instant::now(),
            origin_micros,
            offset_micros: Arc::new(watch::Sender::new(0)),
            shift,
        }
    }

    /// The product's time: PostgreSQL's, plus the shift.
    pub fn now(&self) -> DateTime<Utc> {
        let offset = *self.offset_micros.borrow();
        let plus = offset.saturating_add(*self.shift.micros.borrow());
        self.at(Instant::now(), plus)
    }

    /// The shift alone, for the few SQL statements that read `clock_timestamp()` and add it.
    pub fn shift(&self) -> TimeDelta {
        self.shift.current()
    }

    /// This machine's time plus the shift, without the measured offset: what an offset is
    /// measured against ([`Clock::set_offset`]).
    pub fn local_now(&self) -> DateTime<Utc> {
        self.at(Instant::now(), *self.shift.micros.borrow())
    }

    /// The measured offset (server minus this machine).
    pub fn offset(&self) -> TimeDelta {
        TimeDelta::microseconds(*self.offset_micros.borrow())
    }

    /// Takes over an offset (server minus this machine) measured by the caller against
    /// [`Clock::local_now`].
    pub fn set_offset(&self, offset: TimeDelta) {
        let wanted = micros(offset);
        self.offset_micros.send_if_modified(|at| {
            let changed = *at != wanted;
            *at = wanted;
            changed
        });
    }

    /// Takes over the server's unshifted time, read by a question sent at `asked` and answered
    /// at `answered`: the reading is taken to lie in the middle. Returns the change of offset.
    pub fn set_server_time(
        &self,
        server_now: DateTime<Utc>,
        asked: Instant,
        answered: Instant,
    ) -> TimeDelta {
        let middle = asked + answered.saturating_duration_since(asked) / 2;
        let before = self.offset();
        let measured = server_now - self.local_at(middle);
        self.set_offset(measured);
        measured - before
    }

    /// Returns once [`Clock::now`] has reached `when`, within about a millisecond; at once if
    /// it has passed. Notices at once when time is moved under it. Cancel safe.
    pub async fn sleep_until(&self, when: DateTime<Utc>) {
        let mut shifts = self.shift.micros.subscribe();
        let mut offsets = self.offset_micros.subscribe();
        loop {
            let Ok(wait) = (when - self.now()).to_std() else {
                return; // negative: passed
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(LONGEST_SLEEP)) => {}
                // The senders live in `self`, so these never fail.
                _ = shifts.changed() => {}
                _ = offsets.changed() => {}
            }
        }
    }

    fn local_at(&self, instant: Instant) -> DateTime<Utc> {
        self.at(instant, 0)
    }

    /// This machine's time at `instant`, plus so many microseconds; what lies beyond the calendar is its end. In whole
    /// numbers up to the last step, because every probe asks several times.
    fn at(&self, instant: Instant, plus: i64) -> DateTime<Utc> {
        let since = |later: Instant, earlier: Instant| {
            let since = later.saturating_duration_since(earlier);
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        };
        let micros = self
            .origin_micros
            .saturating_add(since(instant, self.origin))
            .saturating_sub(since(self.origin, instant))
            .saturating_add(plus);
        DateTime::from_timestamp_micros(micros).unwrap_or(if micros < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }
}

/// A timer further out than this is re-armed: the runtime's own limit is about two years.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("offset", &self.offset())
            .field("shift", &self.shift())
            .finish()
    }
}

/// Saturates: a shift of 290 000 years is a mistake, not a panic.
fn micros(delta: TimeDelta) -> i64 {
    delta
        .num_microseconds()
        .unwrap_or(if delta < TimeDelta::zero() {
            i64::MIN
        } else {
            i64::MAX
        })
}

#[cfg(test)]
mod tests;
