//! Which targets answer quickly and which do not, as far as this prober has seen: so that a thousand dead ones never
//! keep a healthy one waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use models::message::ProbeJob;
use tokio::time::Instant;

/// A probe that takes longer is slow. Half of what a healthy target may be late by.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(1);
/// What is remembered at least, of the services and origins seen last; twice as many at most. 2 MB.
const REMEMBERED: usize = 65_536;

/// How a target is expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once, as it did the last time.
    Quick,
    /// Nobody knows: it was never probed here.
    New,
    /// Late or never, as it did the last time; or one never seen of a server that does so.
    Slow,
}

/// Shared by everything that limits probes.
#[derive(Debug, Default)]
pub(crate) struct History {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Whether it was slow, by service and by origin.
    newer: Hashed<bool>,
    older: Hashed<bool>,
    /// Probes on the wire, in the order in which they began.
    on_wire: VecDeque<(Instant, Tag, Weak<()>)>,
}

/// By what was hashed already, with a secret.
type Hashed<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// Hashes a hash.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte); // not used: keys are u64
        }
    }
}

/// A service and the server that it is on, hashed: worked out once for each probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag {
    service: u64,
    origin: u64,
}

/// While it lives its probe is on the wire.
#[derive(Debug)]
pub(crate) struct OnWire(
    #[expect(dead_code, reason = "its count says that the probe runs")] Arc<()>,
);

impl History {
    /// How the target is expected to answer.
    pub(crate) fn pace(&self, tag: Tag) -> Pace {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sweep(now);
        match (seen.was_slow(tag.service), seen.was_slow(tag.origin)) {
            (Some(true), _) | (None, Some(true)) => Pace::Slow,
            (Some(false), _) => Pace::Quick,
            (None, _) => Pace::New,
        }
    }

    /// From now on the target is asked, and after [`SLOW_AFTER`] it is slow.
    pub(crate) fn begin(&self, tag: Tag) -> OnWire {
        let alive = Arc::new(());
        let entry = (Instant::now(), tag, Arc::downgrade(&alive));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sweep(entry.0);
        seen.on_wire.push_back(entry);
        OnWire(alive)
    }

    /// How long the target really took.
    pub(crate) fn took(&self, tag: Tag, time: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(tag, time >= SLOW_AFTER);
    }

    /// What the target of `job` is known by.
    pub(crate) fn tag(&self, job: &ProbeJob) -> Tag {
        Tag {
            service: self.hasher.hash_one(job.service_id),
            origin: self.hasher.hash_one(origin(&job.url)),
        }
    }
}

impl Seen {
    fn was_slow(&self, key: u64) -> Option<bool> {
        self.newer
            .get(&key)
            .or_else(|| self.older.get(&key))
            .copied()
    }

    fn note(&mut self, tag: Tag, is_slow: bool) {
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(tag.service, is_slow);
        self.newer.insert(tag.origin, is_slow);
    }

    /// Notes probes that have been on the wire for too long, once each.
    fn sweep(&mut self, now: Instant) {
        while let Some((began, tag, alive)) = self.on_wire.front() {
            if now.saturating_duration_since(*began) < SLOW_AFTER {
                return;
            }
            let (tag, is_alive) = (*tag, alive.strong_count() > 0);
            self.on_wire.pop_front();
            if is_alive {
                self.note(tag, true);
            }
        }
    }
}

/// Scheme, host and port, as the URL spells them.
pub(crate) fn origin(url: &str) -> &str {
    let host_at = url.find("://").map_or(0, |at| at + 3);
    let path_at = url.get(host_at..).and_then(|rest| rest.find(['/', '?']));
    let end = path_at.map_or(url.len(), |at| host_at + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(service: u128, url: &str) -> ProbeJob {
        let mut job = crate::consume::tests::job();
        job.service_id = uuid::Uuid::from_u128(service).into();
        job.url = url.into();
        job
    }

    #[test]
    fn the_origin_of_a_url_ends_before_its_path() {
        for (url, expected) in [
            ("https://a.example/b?c", "https://a.example"),
            ("http://a.example:8080", "http://a.example:8080"),
            ("http://[::1]:1?x=/", "http://[::1]:1"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_as_it_was_the_last_time_and_a_new_one_like_its_server_when_that_is_slow()
    {
        let history = History::default();
        let pace = |job: &ProbeJob| history.pace(history.tag(job));
        let (one, sibling) = (job(1, "http://a/1"), job(2, "http://a/2"));
        assert_eq!(pace(&one), Pace::New);
        history.took(history.tag(&one), Duration::from_millis(999));
        assert_eq!(pace(&one), Pace::Quick);
        assert_eq!(pace(&sibling), Pace::New, "it may be a slow page");
        history.took(history.tag(&sibling), Duration::from_secs(1));
        assert_eq!(pace(&sibling), Pace::Slow);
        assert_eq!(pace(&one), Pace::Quick, "what it did itself counts more");
        assert_eq!(pace(&job(3, "http://a/3")), Pace::Slow);
        assert_eq!(pace(&job(4, "http://b/")), Pace::New);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_does_not_answer_is_slow_before_its_probe_has_ended() {
        let history = History::default();
        let pace = |job: &ProbeJob| history.pace(history.tag(job));
        let (dead, done) = (job(1, "http://dead/"), job(2, "http://done/"));
        let on_wire = history.begin(history.tag(&dead));
        drop(history.begin(history.tag(&done)));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(pace(&dead), Pace::New);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pace(&dead), Pace::Slow);
        assert_eq!(pace(&done), Pace::New);
        drop(on_wire);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let history = History::default();
        for n in 0..200_000 {
            history.took(history.tag(&job(n, "http://a/")), Duration::ZERO);
        }
        let seen = history.seen.lock().unwrap();
        assert!(seen.newer.len() + seen.older.len() <= 2 * (REMEMBERED + 1));
    }
}
