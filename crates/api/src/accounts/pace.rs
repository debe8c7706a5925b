//! Work whose time shall not tell what it found.

use std::time::Duration;

use tokio::time::sleep;

/// Several times what such a transaction takes, and little beside the hash before it. A database that is slower than this
/// tells, and is busy with enough else to blur it.
const LEAST: Duration = Duration::from_millis(50);

/// Does `work`, and ends [`LEAST`] after its beginning at the earliest.
pub(super) async fn even<T>(work: impl Future<Output = T>) -> T {
    let (done, ()) = tokio::join!(work, sleep(LEAST));
    done
}
