//! What a window of any length adds up to: days, edge hours and the open hour.

use db::Conn;
use db::health::Health;
use models::Time;
use models::sla::Checks;
use models::window::Window;
use uuid::Uuid;

use crate::error::Problem;
use crate::views::figures::{Latency, count, open_hour};

/// Counts and latencies of one stretch of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    /// What became of its slots.
    pub(crate) checks: Checks,
    /// Latencies of its successful slots.
    pub(crate) latency: Latency,
}

impl Sums {
    /// Adds a closed hour or day.
    pub(crate) fn add(&mut self, row: &db::rollups::sums::Sum) {
        self.checks = self.checks.plus(Checks {
            judged: count(row.judged),
            failed: count(row.failed),
            inconclusive: count(row.inconclusive),
            excluded: count(row.excluded),
            excluded_failed: count(row.excluded_failed),
        });
        self.latency.add(row.latency_sum_us, &row.histogram);
    }

    /// Adds the hour that a region keeps open.
    pub(crate) fn add_open(&mut self, row: &Health) {
        self.checks = self.checks.plus(open_hour(row));
        self.latency.add(row.latency_sum_us, &row.histogram);
    }
}

/// The sums of `window` at `now`. An hour that a silent service still keeps open counts where it lies.
///
/// # Errors
/// The database's failure.
pub(crate) async fn sums(
    conn: &mut Conn,
    service: Uuid,
    window: Window,
    health: &[Health],
    now: Time,
) -> Result<Sums, Problem> {
    let parts = window.at(now);
    let [before, after] = parts.edges;
    let services = [service];
    let mut sums = Sums::default();
    for row in db::rollups::sums::hours(conn, &services, before, after.0).await? {
        sums.add(&row);
    }
    for row in db::rollups::sums::days(conn, &services, parts.days).await? {
        sums.add(&row);
    }
    let open = |row: &&Health| row.hour.is_some_and(|hour| hour >= parts.from());
    health
        .iter()
        .filter(open)
        .for_each(|row| sums.add_open(row));
    Ok(sums)
}
