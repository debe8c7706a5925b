//! Who shows keys that nobody has: after some of them he is not looked up any more, so that guessing is no load on the
//! database. This process' own count: it protects, and rations nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use models::Time;
use models::limit::{Allowance, Count, Limit, seconds_until};

/// Unknown keys of one network in a minute, before those from there that this process has not found good lately (`known`)
/// have to wait. A machine with an old key asks once a second at the most.
const LIMIT: Limit = Limit::per_minute(100);
/// Networks that are remembered at once; then all are forgotten.
const MOST: usize = 50_000;

/// Networks that showed unknown keys.
#[derive(Debug)]
pub(crate) struct Strangers(Mutex<HashMap<IpAddr, Count>>);

impl Strangers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// What a network is told that has shown too many.
    pub(crate) fn refusal(&self, network: IpAddr, now: Time) -> Option<Allowance> {
        let count = self.locked().get(&network).copied()?;
        let is_spent = count.asked >= u64::from(LIMIT.most) && now < count.ends_at;
        is_spent.then(|| Allowance {
            limit: LIMIT.most,
            remaining: 0,
            reset_seconds: seconds_until(count.ends_at, now),
        })
    }

    /// Counts an unknown key.
    pub(crate) fn note(&self, network: IpAddr, now: Time) {
        let mut counts = self.locked();
        if counts.len() >= MOST {
            counts.clear();
        }
        let before = counts.get(&network).copied();
        let count = Count::after(before, 1, now, LIMIT.window);
        counts.insert(network, count);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_network_waits_out_its_minute_and_its_neighbour_does_not() {
        let strangers = Strangers::new();
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let begin = Time::UNIX_EPOCH;
        for _ in 0..LIMIT.most {
            assert_eq!(strangers.refusal(one, begin), None);
            strangers.note(one, begin);
        }
        assert_eq!(strangers.refusal(one, begin).unwrap().reset_seconds, 60);
        assert_eq!(strangers.refusal(two, begin), None);
        assert_eq!(strangers.refusal(one, begin + TimeDelta::minutes(1)), None);
    }
}
