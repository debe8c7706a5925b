use std::time::Duration;

use models::id::UserId;
use uuid::Uuid;

use super::*;
use crate::ledger::Ledger;
use crate::pace::SLOW_AFTER;

/// Tickets of a ledger that knows no batch.
fn ticket() -> Ticket {
    Ledger::new()
        .admit((), Vec::<ProbeJob>::new(), Clock::system().now())
        .ticket
}

fn gate(pool_size: usize, per_tenant: usize) -> (Clock, Arc<Gate>) {
    let clock = Clock::system();
    let gate = Gate::new(clock.clone(), Arc::default(), pool_size, per_tenant);
    (clock, Arc::new(gate))
}

/// The `n`th job of a tenant, due now and fresh for five seconds, at a target of its own.
fn job(clock: &Clock, tenant: u128, n: u128) -> ProbeJob {
    let mut job = crate::consume::tests::job();
    job.user_id = UserId::from(Uuid::from_u128(tenant));
    job.service_id = Uuid::from_u128(n).into();
    job.url = format!("http://{n}.example/");
    job.scheduled_at = clock.now();
    job.not_after = clock.now() + TimeDelta::seconds(5);
    job
}

impl Gate {
    fn let_in(&self, jobs: Vec<ProbeJob>) {
        let policy = guard::Policy::public_only();
        let aimed = jobs.into_iter().map(|job| Aimed::new(job, &policy));
        self.enter(aimed.collect(), ticket());
    }

    /// The targets of these answered quickly once.
    fn know_as_quick(&self, jobs: &[ProbeJob]) {
        for job in jobs {
            self.history.took(self.history.tag(job), Duration::ZERO);
        }
    }
}

async fn go(gate: &Arc<Gate>) -> Started {
    match gate.next().await {
        Some(Turn::Go(started)) => started,
        other => panic!("{other:?}"),
    }
}

/// Whether nobody may start at this moment.
async fn is_shut(gate: &Arc<Gate>) -> bool {
    let soon = Duration::from_millis(1);
    tokio::time::timeout(soon, gate.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn jobs_start_at_their_moment_in_its_order_however_they_came() {
    let (clock, gate) = gate(8, 8);
    let mut jobs: Vec<_> = (0..3).map(|n| job(&clock, 1, n)).collect();
    for (job, seconds) in jobs.iter_mut().zip([2, 0, 1]) {
        job.scheduled_at += TimeDelta::seconds(seconds);
        job.not_after = job.scheduled_at;
    }
    gate.know_as_quick(&jobs);
    let begin = clock.now();
    gate.let_in(jobs.split_off(1));
    gate.let_in(jobs);
    for (seconds, service) in [(0, 1), (1, 2), (2, 0)] {
        let started = go(&gate).await;
        assert_eq!(
            started.waiting.job().service_id.as_uuid().as_u128(),
            service
        );
        let off = clock.now() - (begin + TimeDelta::seconds(seconds));
        assert!((0..=1).contains(&off.num_milliseconds()), "{off}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_job_that_comes_later_is_not_slept_over() {
    let (clock, gate) = gate(8, 8);
    let mut late = job(&clock, 1, 1);
    late.scheduled_at += TimeDelta::seconds(3);
    gate.let_in(vec![late]);
    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { go(&gate).await.waiting.job().service_id }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let came = Instant::now();
    gate.let_in(vec![job(&clock, 1, 2)]);
    let (first, at) = (waiting.await.unwrap(), Instant::now());
    assert_eq!(first.as_uuid().as_u128(), 2);
    assert_eq!(at, came);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_finds_no_place_while_it_is_fresh_is_stale_and_never_starts() {
    let (clock, gate) = gate(1, 2);
    let (first, mut second, mut third) = (job(&clock, 1, 1), job(&clock, 1, 2), job(&clock, 1, 3));
    third.not_after += TimeDelta::seconds(60);
    second.not_after -= TimeDelta::seconds(1);
    let stale_at = second.not_after;
    gate.let_in(vec![first, second, third]);
    let held = go(&gate).await;
    let Some(Turn::Stale(missed)) = gate.next().await else {
        panic!("it has no place");
    };
    assert_eq!(missed.job().service_id.as_uuid().as_u128(), 2);
    let over = clock.now() - stale_at;
    assert!(over > TimeDelta::zero(), "{over}");
    assert!(
        over <= TimeDelta::from_std(LOOK_AGAIN).unwrap() * 2,
        "{over}"
    );
    // Its place of the tenant is another's.
    let third = held.place.pass_on().unwrap();
    assert_eq!(third.waiting.job().service_id.as_uuid().as_u128(), 3);
    drop(third);
    assert!(gate.lock().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_too_late_from_the_start_is_stale_at_once() {
    let (clock, gate) = gate(1, 1);
    let mut old = job(&clock, 1, 1);
    old.scheduled_at -= TimeDelta::seconds(10);
    old.not_after = clock.now() - TimeDelta::milliseconds(1);
    gate.let_in(vec![old]);
    assert!(matches!(gate.next().await, Some(Turn::Stale(_))));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_who_is_full_holds_no_place_of_the_pool_and_keeps_nobody_waiting() {
    let (clock, gate) = gate(4, 2);
    let mut jobs: Vec<_> = (0..10).map(|n| job(&clock, 1, n)).collect();
    jobs.extend((10..12).map(|n| job(&clock, 2, n)));
    gate.know_as_quick(&jobs);
    gate.let_in(jobs);
    let mut running = Vec::new();
    for expected in [0, 1, 10, 11] {
        let started = go(&gate).await;
        assert_eq!(
            started.waiting.job().service_id.as_uuid().as_u128(),
            expected
        );
        running.push(started);
    }
    assert!(is_shut(&gate).await);
    // The other one's place is of no use to him.
    assert!(running.pop().unwrap().place.pass_on().is_none());
    assert!(gate.has_room() && is_shut(&gate).await);
    let next = running.remove(0).place.pass_on().unwrap();
    assert_eq!(next.waiting.job().service_id.as_uuid().as_u128(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_dropped_goes_to_whoever_waits_and_nothing_is_left_behind() {
    let (clock, gate) = gate(1, 1);
    gate.let_in((0..3).map(|n| job(&clock, n, n)).collect());
    for _ in 0..3 {
        drop(go(&gate).await);
    }
    assert!(is_shut(&gate).await);
    assert!(gate.lock().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_dropped_is_noticed_at_once() {
    let (clock, gate) = gate(1, 1);
    gate.let_in((0..2).map(|n| job(&clock, n, n)).collect());
    let running = go(&gate).await;
    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { (go(&gate).await, Instant::now()).1 }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let dropped = Instant::now();
    drop(running);
    assert_eq!(waiting.await.unwrap(), dropped);
}

#[tokio::test(start_paused = true)]
async fn who_waits_as_new_and_turns_out_slow_makes_way_for_the_others() {
    let (clock, gate) = gate(8, 8);
    let dead = |n| ProbeJob {
        url: "http://dead.example/".to_owned(),
        not_after: clock.now() + TimeDelta::seconds(60),
        ..job(&clock, 1, n)
    };
    gate.let_in((0..20).map(dead).collect());
    let running = [go(&gate).await, go(&gate).await];
    assert!(
        is_shut(&gate).await,
        "nobody knows yet: two of eight may try"
    );
    gate.let_in(vec![ProbeJob {
        not_after: clock.now() + TimeDelta::seconds(60),
        ..job(&clock, 1, 99)
    }]);
    assert!(is_shut(&gate).await, "it may be as they are");
    gate.history.took(running[0].waiting.tag, SLOW_AFTER);
    let asked = Instant::now();
    let mut others = Vec::new();
    let healthy = loop {
        let started = go(&gate).await;
        match started.waiting.job().service_id.as_uuid().as_u128() {
            99 => break started,
            _ => others.push(started), // dead too: they hold their places
        }
    };
    assert!(asked.elapsed() <= SLOW_AFTER + LOOK_AGAIN * 2);
    assert!(others.len() <= 4, "slow ones fill three quarters at most");
    drop((running, healthy));
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_lets_nobody_in_and_takes_places_back() {
    let (clock, gate) = gate(1, 1);
    gate.let_in((0..3).map(|n| job(&clock, n, n)).collect());
    let running = go(&gate).await;
    gate.close();
    assert!(gate.next().await.is_none());
    assert!(running.place.pass_on().is_none());
    gate.let_in(vec![job(&clock, 1, 9)]);
    assert!(gate.next().await.is_none());
}

#[test]
fn the_prefetch_grows_only_while_it_is_tight_and_probes_could_run() {
    assert_eq!(widened(8, 5, true), None);
    assert_eq!(widened(8, 6, true), Some(16));
    assert_eq!(widened(8, 6, false), None, "another prober may have room");
    assert_eq!(widened(800, 800, true), Some(1000));
    assert_eq!(widened(1000, 1000, true), None);
}

#[test]
fn only_first_probes_are_spread_and_over_no_more_than_300_ms() {
    let mut job = crate::consume::tests::job();
    let delays = |job: &mut ProbeJob| {
        let delay = |n: u128| {
            job.probe_id = uuid::Uuid::from_u128(n * 0x9e37_79b9_7f4a_7c15).into();
            (starts_at(job) - job.scheduled_at).num_milliseconds()
        };
        (0..1000)
            .map(delay)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(delays(&mut job).into_iter().collect::<Vec<_>>(), [0]);
    job.kind = ProbeKind::First;
    let spread = delays(&mut job);
    assert!(spread.len() > 200, "{}", spread.len());
    assert!(spread.iter().all(|ms| (0..=300).contains(ms)));
    job.not_after = job.scheduled_at + TimeDelta::milliseconds(10);
    let spread = delays(&mut job);
    assert_eq!(spread.last(), Some(&10), "none is stale by its jitter");
}
