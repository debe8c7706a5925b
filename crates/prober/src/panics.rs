//! A probe that panics is our failure: it is a result like any other, and neither its batch nor its process ends with it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt as _;
use models::message::ProbeJob;

use crate::trip::Finding;

/// What a probe found; inconclusive where it panicked. What it held (its socket, its place at an address) is dropped by
/// whoever gave it.
pub(crate) async fn caught(
    job: &ProbeJob,
    probing: Pin<&mut impl Future<Output = Finding>>,
) -> Finding {
    // Nothing of a probe is looked at after its panic, so nothing half done can be seen.
    let ended = AssertUnwindSafe(probing).catch_unwind().await;
    ended.unwrap_or_else(|_panic| {
        tracing::error!(probe.id = %job.probe_id, service.id = %job.service_id, "a probe panicked");
        Finding::internal("the probe failed unexpectedly")
    })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use models::probe::{ErrorKind, Outcome};

    use super::*;
    use crate::limits::KeyedLimit;
    use crate::pace::Pace;

    #[tokio::test]
    async fn a_probe_that_panics_is_inconclusive_and_gives_back_what_it_held() {
        let (job, limit) = (crate::consume::tests::job(), KeyedLimit::new(1));
        let probing = pin!(async {
            let _turn = limit.try_enter("an address", Pace::Quick);
            tokio::task::yield_now().await;
            panic!("a bug")
        });
        let finding = caught(&job, probing).await;
        let result = finding.into_result(&job, job.scheduled_at, "prober-1");
        assert_eq!(result.outcome, Outcome::Inconclusive);
        let error = result.error.unwrap();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(
            !error.message.contains("a bug"),
            "no internals: {}",
            error.message
        );
        assert!(limit.try_enter("an address", Pace::Quick).is_some());
    }
}
