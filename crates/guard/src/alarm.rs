//! The end of somebody's time: one deadline over all of his steps, the dial among them, and one timer for it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Goes off once, at the deadline.
#[derive(Debug)]
pub struct Alarm {
    deadline: Instant,
    /// Set when something has to be waited for: with the first, and kept for the next.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Goes off at `deadline`.
    pub fn at(deadline: Instant) -> Self {
        Self {
            deadline,
            timer: None,
        }
    }

    /// When it goes off.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Goes off so much later.
    pub fn put_off(&mut self, by: Duration) {
        self.deadline += by;
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(self.deadline);
        }
    }

    /// What comes of `work`, or `None` when the time is over before.
    pub async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let deadline = self.deadline;
            let set = || Box::pin(sleep_until(deadline));
            let timer = self.timer.get_or_insert_with(set);
            timer.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_deadline_ends_every_step_and_can_be_put_off() {
        let begun = Instant::now();
        let mut alarm = Alarm::at(begun + Duration::from_millis(100));
        let step = |ms| tokio::time::sleep(Duration::from_millis(ms));
        assert_eq!(alarm.limit(step(60)).await, Some(()));
        alarm.put_off(Duration::from_millis(50));
        assert_eq!(alarm.limit(step(60)).await, Some(()));
        assert_eq!(alarm.limit(step(60)).await, None);
        assert_eq!(begun.elapsed(), Duration::from_millis(150));
        assert_eq!(alarm.limit(step(1)).await, None, "and it stays over");
    }
}
