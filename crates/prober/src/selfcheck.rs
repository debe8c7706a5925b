//! Whether this prober can be trusted: it looks at its own reference every few seconds, and at once when a failure
//! could be its own. While the reference is out of reach it takes no jobs, and what it had begun is inconclusive.

mod reference;
mod rule;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use guard::Resolver;
use models::probe::{Outcome, ProbeResult};
use runtime::Readiness;
use runtime::ops::State as Ready;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::aim::Aimed;

pub(crate) use reference::{MAX_URLS, Reference, policy};
pub(crate) use rule::{Ruling, Standing, State, Trouble};

/// The self-check, on `/readyz`.
pub(crate) const SELF_CHECK: &str = "self-check";
/// Between looks while all is well and nothing fails: what happens between two is found by the first failure.
const EVERY: Duration = Duration::from_secs(10);
/// Between looks in trouble: how soon it comes back.
const RETRY: Duration = Duration::from_secs(1);
/// Between looks that failures ask for: a thousand dead targets shall not become a load on the reference.
const AT_MOST_EVERY: Duration = Duration::from_millis(500);
/// How long a failure waits to be vouched for: two looks and their pauses. Then it proves nothing.
const PATIENCE: Duration = Duration::from_secs(8);

/// Shared by all probes of a process.
#[derive(Debug)]
pub(crate) struct SelfCheck {
    reference: Reference,
    resolver: Resolver,
    standing: watch::Sender<Standing>,
    /// A job came whose name has to be looked up.
    needs_names: AtomicBool,
    wanted: Notify,
}

impl SelfCheck {
    /// Trusts itself until the first look.
    pub(crate) fn new(reference: Reference, resolver: Resolver) -> Self {
        Self {
            reference,
            resolver,
            standing: watch::Sender::new(Standing::default()),
            needs_names: AtomicBool::new(false),
            wanted: Notify::new(),
        }
    }

    /// Looks until `stop`, and says on `/readyz` what it sees.
    pub(crate) async fn run(self: Arc<Self>, readiness: Readiness, stop: CancellationToken) {
        loop {
            let needs_names = self.needs_names.load(Ordering::Relaxed);
            let look = tokio::select! {
                () = stop.cancelled() => return,
                look = self.reference.look(needs_names) => look,
            };
            self.standing
                .send_modify(|standing| *standing = standing.clone().after(&look));
            let state = self.standing.borrow().state;
            tell(state, &readiness);
            let pause = match state {
                State::Well => EVERY,
                State::Nameless | State::Failing(_) => RETRY,
            };
            let asked_for = async {
                tokio::time::sleep(AT_MOST_EVERY).await;
                self.wanted.notified().await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = asked_for => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Changes whenever a look has ended.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// See [`Watch`].
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.standing())
    }

    /// Whether it may judge others.
    pub(crate) fn state(&self) -> State {
        self.standing.borrow().state
    }

    /// Notes jobs that came in: with the first name the name servers become a part of the reference.
    pub(crate) fn note(&self, jobs: &[Aimed]) {
        if self.needs_names.load(Ordering::Relaxed) || !jobs.iter().any(|job| self.must_ask(job)) {
            return;
        }
        self.needs_names.store(true, Ordering::Relaxed);
        self.wanted.notify_one();
    }

    /// The clock's offset jumped: nothing that was measured by it counts.
    pub(crate) fn clock_jumped(&self) {
        let now = Instant::now();
        self.standing
            .send_modify(|standing| *standing = standing.clone().after_clock_jump(now));
        self.wanted.notify_one();
    }

    /// Whether this job can't be judged by this prober now.
    pub(crate) fn forbids(&self, job: &Aimed) -> bool {
        match self.state() {
            State::Well => false,
            State::Nameless => self.must_ask(job),
            State::Failing(_) => true,
        }
    }

    /// Whether a result counts. One that could be our own fault waits for a look at the reference; not for longer than
    /// [`PATIENCE`].
    pub(crate) async fn judge(
        &self,
        job: &Aimed,
        result: &ProbeResult,
        (begun, ended): (Instant, Instant),
    ) -> bool {
        let doubt = match (&result.error, result.outcome) {
            (Some(error), Outcome::Down) => rule::doubt(error.kind),
            _ => rule::Doubt::None,
        };
        match result.outcome {
            // No socket, no name server to ask: it may be more than this one.
            Outcome::Inconclusive => self.wanted.notify_one(),
            Outcome::Up => self.note_lookup(job),
            Outcome::Down => {}
        }
        if self.standing.borrow().judge(begun, ended, doubt) == Ruling::Publish {
            return true;
        }
        let mut standing = self.standing.subscribe();
        loop {
            match standing.borrow_and_update().judge(begun, ended, doubt) {
                Ruling::Publish => return true,
                Ruling::Inconclusive => return false,
                Ruling::Wait => self.wanted.notify_one(),
            }
            if timeout_at(ended + PATIENCE, standing.changed())
                .await
                .is_err()
            {
                return false;
            }
        }
    }

    /// A service by name that was reached proves the name servers.
    fn note_lookup(&self, job: &Aimed) {
        let needs_names = self.needs_names.load(Ordering::Relaxed);
        if needs_names && !self.standing.borrow().knows_names() && self.must_ask(job) {
            self.standing
                .send_modify(|standing| *standing = standing.clone().after_lookup());
        }
    }

    fn must_ask(&self, job: &Aimed) -> bool {
        let target = job.target();
        target.is_some_and(|target| self.resolver.must_ask(target))
    }
}

/// Ends probes when their prober is no longer to be trusted. It is set once for all probes that run one after the other.
pub(crate) struct Watch {
    standing: watch::Receiver<Standing>,
    failed: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whom `failed` wakes.
    set_for: Option<Waker>,
}

impl Watch {
    fn new(standing: watch::Receiver<Standing>) -> Self {
        let failed = Box::pin(failed(standing.clone()));
        Self {
            standing,
            failed,
            set_for: None,
        }
    }

    /// What comes of a probe, or `None` as soon as the prober fails.
    pub(crate) async fn unless_failed<T>(
        &mut self,
        mut probing: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        poll_fn(|cx| match probing.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => self.poll_failed(cx).map(|()| None),
        })
        .await
    }

    /// Looks only where there is something new to see, or somebody else to wake: a probe is woken several times, and its
    /// prober seldom fails.
    fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_set = self
            .set_for
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        let is_news = self.standing.has_changed().unwrap_or(true);
        if is_set && !is_news {
            return Poll::Pending;
        }
        self.standing.mark_unchanged(); // before it looks: what comes meanwhile is news again
        let polled = self.failed.as_mut().poll(cx);
        if polled.is_ready() {
            *self = Self::new(self.standing.clone());
        } else {
            self.set_for = Some(cx.waker().clone());
        }
        polled
    }
}

async fn failed(mut standing: watch::Receiver<Standing>) {
    if standing.wait_for(Standing::is_failing).await.is_err() {
        std::future::pending().await // nobody looks any more: the process ends
    }
}

fn tell(state: State, readiness: &Readiness) {
    let (outcome, failing) = match state {
        State::Well => ("well", 0.0),
        State::Nameless => ("nameless", 0.0),
        State::Failing(_) => ("failing", 1.0),
    };
    metrics::counter!("pulsemon_prober_self_checks_total", "outcome" => outcome).increment(1);
    metrics::gauge!("pulsemon_prober_self_check_failing").set(failing);
    readiness.set(
        SELF_CHECK,
        match state {
            State::Well => Ready::Ready,
            State::Nameless => Ready::Degraded(
                "no name server has answered since the start: services by name are not judged"
                    .to_owned(),
            ),
            State::Failing(trouble) => Ready::NotReady(trouble.as_str().to_owned()),
        },
    );
}
