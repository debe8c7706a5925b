//! How many messages wait in each queue: a region without probers, processors that cannot keep
//! up, and above all dead letters, of which a person should hear.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::connection::{Link, Live, NORMAL_CLOSE, short};
use crate::metric;
use crate::route::{self, DeadQueue};

/// How long the broker may take to count.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// As often as metrics are usually read.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// A queue's depth could not be read.
#[derive(Debug, thiserror::Error)]
#[error("read the depth of a queue: {0}")]
pub struct DepthError(String);

pub(crate) async fn count(link: &Link, queue: &str) -> Result<u32, DepthError> {
    let live = link.live();
    let live = live.ok_or_else(|| DepthError("no connection".into()))?;
    match tokio::time::timeout(ANSWER_TIMEOUT, ask(&live, queue)).await {
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => Err(DepthError(error.to_string())),
        Err(_) => Err(DepthError("no answer".into())),
    }
}

async fn ask(live: &Arc<Live>, queue: &str) -> lapin::Result<u32> {
    // Its own channel: asking for an absent queue closes it.
    let channel = live.connection.create_channel().await?;
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let found = channel
        .queue_declare(short(queue), passive, FieldTable::default())
        .await?;
    channel.close(NORMAL_CLOSE, "counted".into()).await?;
    Ok(found.message_count())
}

/// Keeps the gauge of every queue current, until the bus is closed. Run by each process that
/// declares the queues; they all report the same.
pub(crate) async fn report(link: Link) {
    let mut queues: Vec<String> = DeadQueue::ALL.map(|dead| dead.queue().to_owned()).to_vec();
    let regions = link.declares.iter().flat_map(|regions| regions.iter());
    queues.extend(route::all(regions).map(|route| route.queue()));
    while link.wait_live().await.is_some() {
        for queue in &queues {
            match count(&link, queue).await {
                Ok(depth) => metric::depth(queue, depth),
                Err(error) => tracing::debug!(%error, %queue, "no depth to report"),
            }
        }
        let pause = tokio::time::sleep(REPORT_EVERY);
        if link.stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}
