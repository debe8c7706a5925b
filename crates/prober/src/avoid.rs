//! A second opinion is worth nothing from the prober whose failure is in doubt: it hands the job
//! back for another to take, and runs it itself only where there seems to be no other.

use std::borrow::Borrow;
use std::time::Duration;

use bus::Delivery;
use chrono::TimeDelta;
use models::Time;
use models::message::ProbeJob;
use runtime::Shutdown;

/// Before a job is handed back: the broker would give it to the next prober at once, and where
/// there is no other, this one would spin.
const PAUSE: Duration = Duration::from_millis(200);
/// After so many the tenant gets the opinion of this prober rather than none. With two probers the
/// broker's turns bring it to the other by the first as a rule.
const MAX_HANDED_BACK: u32 = 3;

/// Whether `jobs`, the whole of a message, are to be handed back by `prober`. A job that would be
/// stale after the pause is not worth it.
pub(crate) fn hands_back<J: Borrow<ProbeJob>>(
    jobs: &[J],
    prober: &str,
    delivery_count: u32,
    now: Time,
) -> bool {
    let [job] = jobs else {
        return false; // others would go with it
    };
    let job = job.borrow();
    let pause = TimeDelta::from_std(PAUSE).unwrap_or_default();
    job.avoid_prober.as_deref() == Some(prober)
        && delivery_count < MAX_HANDED_BACK
        && now + pause < job.not_after
}

/// Hands a message back after a pause, or at once when the process is to stop.
pub(crate) async fn hand_back(delivery: Delivery, shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = tokio::time::sleep(PAUSE) => {}
    }
    metrics::counter!("pulsemon_prober_handed_back_total").increment(1);
    delivery.reject_requeue().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_avoided_prober_hands_a_confirm_back_three_times_and_nothing_else() {
        let mut job = crate::consume::tests::job();
        let now = job.scheduled_at;
        assert!(!hands_back(&[job.clone()], "one", 0, now), "avoids nobody");
        job.avoid_prober = Some("one".into());
        for (count, expected) in [(0, true), (2, true), (3, false)] {
            assert_eq!(hands_back(&[job.clone()], "one", count, now), expected);
        }
        assert!(!hands_back(&[job.clone()], "two", 0, now), "another");
        assert!(!hands_back(&[job.clone(), job.clone()], "one", 0, now));
        let late = job.not_after - TimeDelta::milliseconds(100);
        assert!(!hands_back(&[job], "one", 0, late), "about to be stale");
    }
}
