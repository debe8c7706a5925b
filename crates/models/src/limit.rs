//! How often anybody may ask: windows, leases and delays.
//!
//! A limit counts what is asked for in a window of time that begins with the first request. The count is one row that
//! all processes share; each asks it for a few requests at once (a *lease*) and spends those on its own, so that a
//! request rarely pays for the row. What all leases of a window grant together never exceeds the limit.

use chrono::TimeDelta;

use crate::Time;

/// A lease's part of a limit, at most, in percent: what one process may hold back from the others.
const BLOCK_PERCENT: u32 = 5;
/// The longest that a login is held up because of failed ones before it.
const MAX_DELAY: TimeDelta = TimeDelta::seconds(2);
/// The first delay; it doubles with every further failure.
const FIRST_DELAY_MS: i64 = 100;

/// So many in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most requests of one window.
    pub most: u32,
    /// How long a window lasts.
    pub window: TimeDelta,
}

impl Limit {
    /// So many a minute.
    #[must_use]
    pub const fn per_minute(most: u32) -> Self {
        Self {
            most,
            window: TimeDelta::minutes(1),
        }
    }

    /// How much to ask for at once: 5 % of the limit, and one where that is less than one.
    #[must_use]
    pub const fn block(self) -> u32 {
        let block = self.most / (100 / BLOCK_PERCENT);
        if block == 0 { 1 } else { block }
    }

    /// Whole seconds until a window of it ends, rounded up: never more than it lasts, though another process began it by a
    /// clock that is a little ahead.
    #[must_use]
    pub fn seconds_left(self, ends_at: Time, now: Time) -> u64 {
        let whole = seconds_until(Time::UNIX_EPOCH + self.window, Time::UNIX_EPOCH);
        seconds_until(ends_at, now).min(whole)
    }

    /// How many of `want` requests are granted, where the window's count stands at `asked` with them.
    #[must_use]
    pub fn granted(self, want: u32, asked: u64) -> u32 {
        let before = asked.saturating_sub(u64::from(want));
        let free = u64::from(self.most).saturating_sub(before);
        u32::try_from(free.min(u64::from(want))).unwrap_or(want)
    }
}

/// The shared count of one window, as the row holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// When the window is over.
    pub ends_at: Time,
    /// What was asked for in it, granted or not.
    pub asked: u64,
}

impl Count {
    /// The count after `want` more: added to the window that runs, or the first of a new one. The
    /// statement of `db::rate_limits` does the same; a row that ends further ahead than two windows
    /// is from a clock that was wrong.
    #[must_use]
    pub fn after(before: Option<Self>, want: u32, now: Time, window: TimeDelta) -> Self {
        match before {
            Some(count) if now < count.ends_at && count.ends_at <= now + window * 2 => Self {
                ends_at: count.ends_at,
                asked: count.asked.saturating_add(u64::from(want)),
            },
            _ => Self {
                ends_at: now + window,
                asked: u64::from(want),
            },
        }
    }
}

/// What a client is told about a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests of a window.
    pub limit: u32,
    /// Those left, as far as this process knows: others may hold some.
    pub remaining: u32,
    /// Seconds until the next window, rounded up.
    pub reset_seconds: u64,
}

/// One process' part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    limit: Limit,
    count: Option<Count>,
    left: u32,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// It passes.
    Passed(Allowance),
    /// It does not, and none will before the window ends, here or elsewhere.
    Exhausted(Allowance),
    /// Only the shared count knows.
    Ask,
}

impl Lease {
    /// Nothing leased yet.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self {
            limit,
            count: None,
            left: 0,
        }
    }

    /// Takes one request from what is left of a window that still runs.
    pub fn spend(&mut self, now: Time) -> Spend {
        let Some(count) = self.count.filter(|count| now < count.ends_at) else {
            return Spend::Ask;
        };
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Spend::Passed(self.allowance(count, now));
        }
        if count.asked >= u64::from(self.limit.most) {
            return Spend::Exhausted(self.allowance(count, now));
        }
        Spend::Ask
    }

    /// Adds what the shared count granted of `want`; what was left of another window is void.
    pub fn add(&mut self, want: u32, count: Count) {
        let same = self
            .count
            .is_some_and(|known| known.ends_at == count.ends_at);
        if !same {
            self.left = 0;
        }
        self.left = self
            .left
            .saturating_add(self.limit.granted(want, count.asked));
        self.count = Some(count);
    }

    /// Gives one back that was taken for nothing.
    pub fn refund(&mut self) {
        self.left = self.left.saturating_add(1);
    }

    /// Whether it can be forgotten.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.count.is_none_or(|count| count.ends_at <= now)
    }

    fn allowance(&self, count: Count, now: Time) -> Allowance {
        let free = u64::from(self.limit.most).saturating_sub(count.asked);
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        Allowance {
            limit: self.limit.most,
            remaining: free.saturating_add(self.left),
            reset_seconds: self.limit.seconds_left(count.ends_at, now),
        }
    }
}

/// Whole seconds until `then`, rounded up.
#[must_use]
pub fn seconds_until(then: Time, now: Time) -> u64 {
    u64::try_from((then - now).num_milliseconds())
        .unwrap_or(0)
        .div_ceil(1000)
}

/// How long a login waits after `failures` of its account within the window, of which `free` cost
/// nothing: 0.1 s, doubled with each, 2 s at most. A stranger can slow an owner down, and no more.
#[must_use]
pub fn login_delay(failures: u64, free: u32) -> TimeDelta {
    let Some(surplus) = failures.checked_sub(u64::from(free)) else {
        return TimeDelta::zero();
    };
    let doubled = u32::try_from(surplus)
        .ok()
        .and_then(|surplus| 2_i64.checked_pow(surplus))
        .and_then(|factor| factor.checked_mul(FIRST_DELAY_MS))
        .and_then(TimeDelta::try_milliseconds);
    doubled.map_or(MAX_DELAY, |delay| delay.min(MAX_DELAY))
}

#[cfg(test)]
mod tests;
