//! Enough file handles for the pool: each probe in flight holds a few sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Two for its lookups, or two for connecting to a second address beside the first.
const PER_PROBE: u64 = 2;
/// The broker, the ops port, logs, the runtime.
const OTHERS: u64 = 128;

/// Raises this process' soft limit as far as the pool needs and the system allows. Returns how many probes fit.
pub(crate) fn make_room(pool_size: usize) -> usize {
    let wanted = u64::try_from(pool_size)
        .unwrap_or(u64::MAX)
        .saturating_mul(PER_PROBE)
        .saturating_add(OTHERS);
    let limits = getrlimit(Resource::Nofile);
    let soft = limits.current.unwrap_or(u64::MAX);
    if soft >= wanted {
        return pool_size;
    }
    let raised = limits.maximum.map_or(wanted, |hard| hard.min(wanted));
    let ask = Rlimit {
        current: Some(raised),
        maximum: limits.maximum,
    };
    let have = match setrlimit(Resource::Nofile, ask) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, "could not raise the limit of open files");
            soft
        }
    };
    let fits = fitting(have, pool_size);
    if fits < pool_size {
        tracing::warn!(
            open_files = have,
            wanted_pool = pool_size,
            pool = fits,
            "too few file handles for WORKER_POOL_SIZE: the pool is smaller"
        );
    }
    fits
}

fn fitting(open_files: u64, pool_size: usize) -> usize {
    let fits = open_files.saturating_sub(OTHERS) / PER_PROBE;
    usize::try_from(fits)
        .unwrap_or(usize::MAX)
        .clamp(1, pool_size)
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_small_limit_makes_a_small_pool_and_never_none() {
        assert_eq!(fitting(1024, 1000), 448);
        assert_eq!(fitting(20_000, 1000), 1000);
        assert_eq!(fitting(10, 1000), 1);
    }
}
