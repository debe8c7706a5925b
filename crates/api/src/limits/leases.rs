//! What this process holds of windows, in bounded memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use models::Time;
use models::limit::{Lease, Limit};

use super::Subject;

/// Subjects that are remembered at once: some 15 MB. Who has more tenants a minute in one process has more processes.
const MOST: usize = 100_000;

/// A subject's lease; locked while the database is asked for more, so that one asks and not all.
pub(super) type Shared = Arc<tokio::sync::Mutex<Lease>>;

/// All leases of the process.
#[derive(Debug)]
pub(super) struct Leases(Mutex<HashMap<Subject, Shared>>);

impl Leases {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The subject's lease, a new one where it has none.
    pub(super) fn of(&self, subject: Subject, limit: Limit, now: Time) -> Shared {
        let mut leases = self.locked();
        if let Some(lease) = leases.get(&subject) {
            return Arc::clone(lease);
        }
        if leases.len() >= MOST {
            make_room(&mut leases, now);
        }
        let lease = Shared::new(tokio::sync::Mutex::new(Lease::new(limit)));
        leases.insert(subject, Arc::clone(&lease));
        lease
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Subject, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over. Where that is little, everything: what was leased and not spent is lost to its tenants, which
/// never lets too many pass, and looking for room at every request would cost more.
fn make_room(leases: &mut HashMap<Subject, Shared>, now: Time) {
    leases.retain(|_, lease| lease.try_lock().map_or(true, |lease| !lease.is_over(now)));
    if leases.len() > MOST / 2 {
        tracing::warn!(
            leases = leases.len(),
            "more clients at once than are remembered: their leases are taken anew"
        );
        leases.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use models::limit::Count;

    use super::*;

    #[test]
    fn a_flood_of_clients_takes_no_more_memory_than_there_is() {
        let leases = Leases::new();
        let limit = Limit::per_minute(10);
        let client = |n: u128| Subject::Auth(IpAddr::V6(Ipv6Addr::from_bits(n)));
        let begin = Time::UNIX_EPOCH;
        for n in 0..3 * 100_000 {
            let lease = leases.of(client(n), limit, begin);
            lease
                .try_lock()
                .unwrap()
                .add(1, Count::after(None, 1, begin, limit.window));
            assert!(leases.locked().len() <= MOST);
        }
        // and what still counts is found again while there is room
        let lease = leases.of(client(0), limit, begin);
        assert!(Arc::ptr_eq(&lease, &leases.of(client(0), limit, begin)));
    }
}
