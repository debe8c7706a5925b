//! The gate's rule: who waits for what, and who is next. Time is an argument.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use chrono::TimeDelta;
use models::Time;
use models::id::UserId;
use rapidhash::RapidHashMap;
use tokio::time::Instant;

use super::Waiting;
use crate::limits::LOOK_AGAIN;
use crate::line::{Called, Held, Line};
use crate::pace::Pace;

/// Jobs that have not begun.
#[derive(Debug)]
pub(super) struct State {
    is_closed: bool,
    /// By their moment, and in order of arrival within one.
    early: BinaryHeap<Reverse<Early>>,
    arrived: u64,
    per_tenant: usize,
    /// Tenants of whom nothing runs and nothing waits take no memory.
    tenants: RapidHashMap<UserId, Line<Box<Waiting>>>,
    /// Those who wait for it have a place of their tenant.
    pool: Line<(Box<Waiting>, Held)>,
    ready: VecDeque<(Box<Waiting>, Places)>,
    stale: VecDeque<Box<Waiting>>,
    /// How many wait in the lines, and when they are all asked anew.
    waiting: usize,
    look_at: Option<Time>,
}

/// What waits for its moment.
#[derive(Debug)]
struct Early {
    moment: Time,
    number: u64,
    waiting: Box<Waiting>,
}

/// One whose waiting is over.
#[derive(Debug)]
pub(super) enum Ready {
    Go(Box<Waiting>, Places),
    Stale(Box<Waiting>),
}

/// What a probe that runs holds.
#[derive(Debug)]
pub(super) struct Places {
    tenant: UserId,
    of_tenant: Held,
    of_pool: Held,
}

impl Places {
    /// How its target was expected to answer.
    pub(super) fn pace(&self) -> Pace {
        self.of_pool.pace()
    }
}

impl State {
    pub(super) fn new(pool_size: usize, per_tenant: usize) -> Self {
        Self {
            is_closed: false,
            early: BinaryHeap::new(),
            arrived: 0,
            per_tenant,
            tenants: RapidHashMap::default(),
            pool: Line::new(pool_size),
            ready: VecDeque::new(),
            stale: VecDeque::new(),
            waiting: 0,
            look_at: None,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.pool.admits(Pace::Quick)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn close(&mut self) {
        *self = Self {
            is_closed: true,
            ..Self::new(0, 0)
        };
    }

    /// A job that may not start before its moment.
    pub(super) fn expect(&mut self, moment: Time, waiting: Box<Waiting>) {
        if self.is_closed {
            return;
        }
        self.early.push(Reverse(Early {
            moment,
            number: self.arrived,
            waiting,
        }));
        self.arrived += 1;
    }

    /// Lets time pass: moments come, those who wait grow stale or known.
    pub(super) fn advance(&mut self, now: Time, at: Instant, pace: &impl Fn(&Waiting) -> Pace) {
        if self.look_at.is_some_and(|look_at| look_at <= now) {
            self.look_again(now, at, pace);
        }
        while self
            .early
            .peek()
            .is_some_and(|Reverse(early)| early.moment <= now)
        {
            let Some(Reverse(early)) = self.early.pop() else {
                break;
            };
            self.ask_tenant(early.waiting, now, at, pace);
        }
        self.plan(now);
    }

    /// When [`State::advance`] has something to do next.
    pub(super) fn wake_at(&self) -> Option<Time> {
        let moment = self.early.peek().map(|Reverse(early)| early.moment);
        [moment, self.look_at].into_iter().flatten().min()
    }

    /// The next one that may start, or is too late.
    pub(super) fn next(&mut self) -> Option<Ready> {
        let stale = self.stale.pop_front().map(Ready::Stale);
        stale.or_else(|| {
            self.next_to_go()
                .map(|(waiting, places)| Ready::Go(waiting, places))
        })
    }

    /// The next one that may start.
    pub(super) fn next_to_go(&mut self) -> Option<(Box<Waiting>, Places)> {
        self.ready.pop_front()
    }

    /// Whether [`State::next`] has something.
    pub(super) fn has_next(&self) -> bool {
        !self.stale.is_empty() || !self.ready.is_empty()
    }

    /// Gives places back, and on to those who wait.
    pub(super) fn leave(
        &mut self,
        places: Places,
        now: Time,
        at: Instant,
        pace: &impl Fn(&Waiting) -> Pace,
    ) {
        self.pool.leave(places.of_pool);
        self.call_pool(now, at, pace);
        self.leave_tenant((places.tenant, places.of_tenant), now, at, pace);
        self.plan(now);
    }

    /// Its moment has come.
    fn ask_tenant(
        &mut self,
        waiting: Box<Waiting>,
        now: Time,
        at: Instant,
        pace: &impl Fn(&Waiting) -> Pace,
    ) {
        let Some(asked_as) = present(&waiting, now, pace) else {
            self.stale.push_back(waiting);
            return;
        };
        let line = self
            .tenants
            .entry(waiting.job().user_id)
            .or_insert_with(|| Line::new(self.per_tenant));
        match line.try_enter(asked_as, at) {
            Some(of_tenant) => self.ask_pool(waiting, of_tenant, at),
            None => {
                line.wait(asked_as, waiting);
                self.waiting += 1;
            }
        }
    }

    fn ask_pool(&mut self, waiting: Box<Waiting>, of_tenant: Held, at: Instant) {
        match self.pool.try_enter(of_tenant.pace(), at) {
            Some(of_pool) => self.start(waiting, of_tenant, of_pool),
            None => {
                self.pool.wait(of_tenant.pace(), (waiting, of_tenant));
                self.waiting += 1;
            }
        }
    }

    fn start(&mut self, waiting: Box<Waiting>, of_tenant: Held, of_pool: Held) {
        let places = Places {
            tenant: waiting.job().user_id,
            of_tenant,
            of_pool,
        };
        self.ready.push_back((waiting, places));
    }

    fn call_pool(&mut self, now: Time, at: Instant, pace: &impl Fn(&Waiting) -> Pace) {
        let by_now = |(waiting, _): &(Box<Waiting>, Held), _| present(waiting, now, pace);
        while let Some(called) = self.pool.call(at, by_now) {
            self.waiting = self.waiting.saturating_sub(1);
            match called {
                Called::Enters((waiting, of_tenant), of_pool) => {
                    self.start(waiting, of_tenant, of_pool);
                }
                Called::Leaves((waiting, of_tenant)) => {
                    let holder = (waiting.job().user_id, of_tenant);
                    self.stale.push_back(waiting);
                    self.leave_tenant(holder, now, at, pace);
                }
            }
        }
    }

    fn leave_tenant(
        &mut self,
        (tenant, held): (UserId, Held),
        now: Time,
        at: Instant,
        pace: &impl Fn(&Waiting) -> Pace,
    ) {
        if let Some(line) = self.tenants.get_mut(&tenant) {
            line.leave(held);
        }
        self.call_tenant(tenant, now, at, pace);
    }

    fn call_tenant(
        &mut self,
        tenant: UserId,
        now: Time,
        at: Instant,
        pace: &impl Fn(&Waiting) -> Pace,
    ) {
        while let Some(line) = self.tenants.get_mut(&tenant) {
            match line.call(at, |waiting, _| present(waiting, now, pace)) {
                Some(Called::Enters(waiting, of_tenant)) => {
                    self.waiting = self.waiting.saturating_sub(1);
                    self.ask_pool(waiting, of_tenant, at);
                }
                Some(Called::Leaves(waiting)) => {
                    self.waiting = self.waiting.saturating_sub(1);
                    self.stale.push_back(waiting);
                }
                None => {
                    if line.is_empty() {
                        self.tenants.remove(&tenant);
                    }
                    return;
                }
            }
        }
    }

    /// Asks all who wait: the pace of some is known by now, new ones that run have grown old, and some who wait are stale.
    fn look_again(&mut self, now: Time, at: Instant, pace: &impl Fn(&Waiting) -> Pace) {
        self.look_at = None;
        let left = self
            .pool
            .look_again(|(waiting, _), _| present(waiting, now, pace));
        for (waiting, of_tenant) in left {
            self.waiting = self.waiting.saturating_sub(1);
            if let Some(line) = self.tenants.get_mut(&waiting.job().user_id) {
                line.leave(of_tenant);
            }
            self.stale.push_back(waiting);
        }
        self.call_pool(now, at, pace);
        for line in self.tenants.values_mut() {
            let left = line.look_again(|waiting, _| present(waiting, now, pace));
            self.waiting = self.waiting.saturating_sub(left.len());
            self.stale.extend(left);
        }
        let tenants: Vec<UserId> = self.tenants.keys().copied().collect();
        for tenant in tenants {
            self.call_tenant(tenant, now, at, pace);
        }
    }

    /// While somebody waits all are asked now and then.
    fn plan(&mut self, now: Time) {
        let latest = now + TimeDelta::from_std(LOOK_AGAIN).unwrap_or_default();
        // A clock that was set back must not leave them waiting.
        let planned = self.look_at.map_or(latest, |planned| planned.min(latest));
        self.look_at = (self.waiting > 0).then_some(planned);
    }
}

/// How the target of a job is expected to answer; `None` when it is too late to ask it.
fn present(waiting: &Waiting, now: Time, pace: &impl Fn(&Waiting) -> Pace) -> Option<Pace> {
    (now <= waiting.job().not_after).then(|| pace(waiting))
}

#[cfg(test)]
impl State {
    /// Nobody runs and nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        let nobody = self.early.is_empty() && !self.has_next() && self.waiting == 0;
        nobody && self.pool.is_empty() && self.tenants.is_empty()
    }
}

impl Ord for Early {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.moment, self.number).cmp(&(other.moment, other.number))
    }
}

impl PartialOrd for Early {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Early {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Early {}
