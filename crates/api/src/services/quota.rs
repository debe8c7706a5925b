//! How many services a user may have: exact, because his row is locked meanwhile.

use db::services::Counts;

use crate::auth::Caller;
use crate::error::Problem;
use crate::problems;

/// Paused services cost little, but not nothing.
const TOTAL_FACTOR: i64 = 10;

/// Active services that a user may have.
pub(crate) fn active_limit(caller: &Caller, default: u32) -> i64 {
    caller.service_quota.map_or(i64::from(default), i64::from)
}

/// Room for one more active service.
pub(super) fn require_slot(counts: Counts, limit: i64) -> Result<(), Problem> {
    if counts.active < limit {
        return Ok(());
    }
    Err(Problem::new(
        &problems::QUOTA_EXCEEDED,
        format!("You may have {limit} active services. Pause or delete one first."),
    ))
}

/// Room for one more service, active or paused.
pub(super) fn require_room(counts: Counts, limit: i64) -> Result<(), Problem> {
    let most = limit.saturating_mul(TOTAL_FACTOR);
    if counts.total < most {
        return Ok(());
    }
    Err(Problem::new(
        &problems::SERVICE_LIMIT,
        format!("You may have {most} services in all. Delete one first."),
    ))
}
