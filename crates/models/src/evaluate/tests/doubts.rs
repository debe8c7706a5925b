//! First failures are doubted, and a second opinion may void them.

use proptest::prelude::*;

use super::*;
use AlertKind::{FailureStreak, Recovery};
use Outcome::{Down, Up};

/// What `prober` finds when it looks at the failed slot of `failed` again.
pub(super) fn confirm(seconds: i64, failed: i64, outcome: Outcome, prober: &str) -> ProbeResult {
    ProbeResult {
        prober: String::from(prober),
        answers: Some(Doubted::of(&slot(failed, Down)).answers()),
        ..result(ProbeKind::Confirm, seconds, outcome)
    }
}

fn doubted(world: &World) -> Vec<i64> {
    let times = world.doubted.iter().map(|doubted| doubted.scheduled_at);
    times.map(|time| (time - at(0)).num_seconds()).collect()
}

#[test]
fn only_the_failure_that_begins_a_streak_is_doubted() {
    let mut world = World::new(1);
    for (seconds, outcome) in [(0, Down), (10, Down), (20, Up), (30, Down), (40, Down)] {
        world.batch(&[slot(seconds, outcome)]);
    }
    assert_eq!(doubted(&world), [0, 30]);
    let first = &world.doubted[0];
    assert_eq!(
        (first.kind, first.prober.as_str()),
        (ProbeKind::Slot, "p"),
        "whom to avoid"
    );
}

#[test]
fn a_failure_that_no_second_opinion_can_void_any_more_is_not_doubted() {
    for (now, expected) in [(20, 1), (21, 0)] {
        let mut world = World::new(1);
        world.now = at(now);
        world.batch(&[slot(0, Down)]);
        assert_eq!(world.doubted.len(), expected, "{now}");
    }
    let mut world = World::new(1);
    world.service.is_active = false;
    world.batch(&[slot(0, Down)]);
    assert!(world.doubted.is_empty());
}

#[test]
fn a_blip_on_one_prober_is_inconclusive_after_all() {
    let mut world = World::new(1);
    world.batch(&[slot(0, Up)]);
    world.batch(&[slot(10, Down)]);
    assert_eq!(
        (world.state.status, world.health.streak),
        (Status::Failing, 1)
    );
    world.batch(&[confirm(11, 10, Up, "q")]);
    assert_eq!((world.state.status, world.health.streak), (Status::Up, 0));
    let checks = world.health.open.checks;
    assert_eq!(
        (checks.judged, checks.failed, checks.inconclusive),
        (1, 0, 1)
    );
    // The next failure begins a streak of its own.
    world.batch(&[slot(20, Down), slot(30, Down)]);
    assert_eq!((world.health.streak, world.kinds()), (2, vec![]));
    assert_eq!(doubted(&world), [10, 20]);
}

#[test]
fn the_same_prober_voids_nothing() {
    let mut world = World::new(1);
    world.batch(&[slot(10, Down)]);
    world.batch(&[confirm(11, 10, Up, "p")]);
    assert_eq!(
        (world.state.status, world.health.streak),
        (Status::Failing, 1)
    );
    assert_eq!(world.health.open.checks.failed, 1);
}

#[test]
fn a_service_whose_only_result_is_void_is_unknown_again() {
    let mut world = World::new(1);
    world.batch(&[slot(10, Down)]);
    world.batch(&[confirm(11, 10, Up, "q")]);
    assert_eq!(
        (world.state.status, world.health.last_outcome),
        (Status::Unknown, None)
    );
}

#[test]
fn a_void_first_probe_leaves_the_streak_and_no_sum_that_it_never_was_in() {
    let mut world = World::new(1);
    let first = result(ProbeKind::First, 10, Down);
    world.batch(&[slot(5, Up), first.clone()]);
    assert_eq!(world.health.streak, 1);
    world.batch(&[ProbeResult {
        answers: Some(Doubted::of(&first).answers()),
        ..confirm(11, 10, Up, "q")
    }]);
    assert_eq!((world.state.status, world.health.streak), (Status::Up, 0));
    let checks = world.health.open.checks;
    assert_eq!(
        (checks.judged, checks.failed, checks.inconclusive),
        (1, 0, 0)
    );
}

#[test]
fn an_outage_that_all_see_is_told_with_the_same_result_as_without_second_opinions() {
    let mut world = World::new(1);
    for n in 0..3 {
        assert_eq!(world.kinds(), []);
        world.batch(&[slot(n * 10, Down)]);
        world.batch(&[confirm(n * 10 + 1, n * 10, Down, "q")]);
    }
    assert_eq!(world.kinds(), [FailureStreak]);
}

#[test]
fn an_incident_that_opened_meanwhile_stays_until_a_newer_success() {
    let mut world = World::new(1);
    world.batch(&[slot(0, Down), slot(10, Down), slot(20, Down)]);
    world.batch(&[confirm(19, 0, Up, "q")]);
    assert_eq!((world.state.status, world.health.streak), (Status::Down, 2));
    assert_eq!(failed_checks(&world), [2], "the void one was none");
    world.batch(&[slot(30, Down)]);
    assert_eq!(world.kinds(), [FailureStreak], "told once");
    world.batch(&[slot(40, Up)]);
    assert_eq!(world.kinds(), [FailureStreak, Recovery]);
    assert_eq!(world.state.status, Status::Up);
    let AlertEvent::Recovery { failed_checks, .. } = world.alerts[1].event else {
        panic!("{:?}", world.alerts[1]);
    };
    assert_eq!(failed_checks, 3);
}

fn failed_checks(world: &World) -> Vec<u32> {
    let incidents = world.incidents.values();
    incidents.map(|incident| incident.failed_checks).collect()
}

#[test]
fn only_what_an_incident_counted_is_taken_from_it() {
    // Its failure is older than the incident, or of one that is over.
    let mut world = World::new(1);
    world.batch(&[slot(0, Down), slot(5, Up)]);
    world.batch(&[slot(10, Down), slot(11, Down), slot(12, Down)]);
    world.batch(&[confirm(13, 0, Up, "q")]);
    assert_eq!(failed_checks(&world), [3]);
    world.batch(&[confirm(14, 10, Up, "p")]);
    assert_eq!(failed_checks(&world), [3], "the same prober voids nothing");
    world.batch(&[slot(20, Up)]);
    world.batch(&[confirm(15, 10, Up, "q")]);
    assert_eq!(failed_checks(&world), [3], "told, and over");
    assert_eq!(world.kinds(), [FailureStreak, Recovery]);
}

#[test]
fn what_a_void_failure_leaves_is_doubted_in_turn() {
    // Two failures of one prober before the first answer: neither may count for good.
    let mut world = World::new(1);
    world.batch(&[slot(0, Down)]);
    world.batch(&[slot(10, Down)]);
    world.batch(&[confirm(11, 0, Up, "q")]);
    assert_eq!((world.health.streak, doubted(&world)), (1, vec![0, 10]));
    world.batch(&[confirm(12, 10, Up, "q")]);
    assert_eq!((world.health.streak, doubted(&world)), (0, vec![0, 10]));
}

#[test]
fn what_a_void_failure_leaves_is_doubted_once_though_it_came_late_with_the_second_opinion() {
    let mut world = World::new(1);
    world.batch(&[slot(0, Down)]);
    world.batch(&[slot(20, Down)]);
    world.batch(&[slot(10, Down), confirm(19, 0, Up, "q")]);
    assert_eq!((world.health.streak, doubted(&world)), (2, vec![0, 10]));
}

#[test]
fn a_late_failure_that_begins_the_streak_is_doubted() {
    let mut world = World::new(1);
    world.batch(&[slot(0, Up), slot(20, Down)]);
    world.batch(&[slot(10, Down)]);
    assert_eq!(doubted(&world), [20, 10]);
    // One that joins it in the middle is not.
    world.batch(&[slot(15, Down)]);
    assert_eq!(doubted(&world), [20, 10]);
}

#[test]
fn a_confirm_without_its_failure_voids_nothing_then_or_later() {
    let mut world = World::new(1);
    world.batch(&[confirm(11, 10, Up, "q")]);
    world.batch(&[slot(10, Down)]);
    assert_eq!((world.health.streak, world.voided.len()), (1, 0));
    // Nor in one batch with it.
    world.batch(&[slot(20, Up), slot(30, Down), confirm(31, 30, Up, "q")]);
    assert_eq!((world.health.streak, world.voided.len()), (1, 0));
}

#[test]
fn a_failure_of_a_closed_hour_moves_in_its_rollup_and_in_the_windows() {
    let mut world = World::new(1);
    world.batch(&[slot(3_590, Up), slot(3_599, Down)]);
    // The hour closes with a slot of the next, in the same batch as the second opinion.
    world.batch(&[slot(3_601, Up), confirm(3_602, 3_599, Up, "q")]);
    let checks = |sums: &Sums| {
        (
            sums.checks.judged,
            sums.checks.failed,
            sums.checks.inconclusive,
        )
    };
    assert_eq!(checks(&world.rollups[&at(0)]), (1, 0, 1));
    // And with one of an earlier batch.
    world.batch(&[slot(7_199, Down)]);
    world.batch(&[slot(7_201, Up)]);
    world.batch(&[confirm(7_202, 7_199, Up, "q")]);
    assert_eq!(checks(&world.rollups[&at(3_600)]), (1, 0, 1));
    let sla = world.state.sla;
    assert_eq!((sla.judged, sla.failed, sla.inconclusive), (2, 0, 2));
    assert_eq!(world.state.day, sla);
}

/// Slots and what second opinions say of them, each after its slot, in any order otherwise, with
/// some repeated, cut into batches.
fn arrivals() -> impl Strategy<Value = Vec<Vec<ProbeResult>>> {
    let outcome = prop_oneof![3 => Just(Down), 2 => Just(Up), 1 => Just(Outcome::Inconclusive)];
    let opinion = prop_oneof![2 => Just(None), 3 => Just(Some("q")), 1 => Just(Some("p"))];
    let slots = proptest::collection::vec((outcome.clone(), opinion, outcome), 1..40);
    (slots, 1_usize..6, any::<u64>()).prop_map(|(slots, size, seed)| {
        let mut all = Vec::new();
        for (n, (outcome, prober, second)) in (0..).zip(slots) {
            let due = n * 300;
            all.push((due, slot(due, outcome)));
            if let Some(prober) = prober {
                all.push((due + 1, confirm(due + 1, due, second, prober)));
                all.push((due + 2, confirm(due + 2, due, second, prober)));
            }
        }
        // Each arrives up to an hour late, by a hash of its own.
        let late = |n: u64| i64::try_from(n.wrapping_mul(seed | 1) >> 52).unwrap();
        let mut arriving: Vec<_> = (1..)
            .zip(all)
            .map(|(n, (due, result))| (due + late(n), result))
            .collect();
        arriving.extend(arriving.clone().into_iter().step_by(3));
        arriving.sort_by_key(|(arrives, _)| *arrives);
        let results: Vec<_> = arriving.into_iter().map(|(_, result)| result).collect();
        results.chunks(size).map(<[_]>::to_vec).collect()
    })
}

proptest! {
    #[test]
    fn sums_and_streak_follow_from_the_rows_and_from_what_is_void(batches in arrivals()) {
        let mut world = World::new(9_000);
        for batch in &batches {
            world.batch(batch);
        }
        world.now = at(100_000); // no doubt lasts so long
        world.batch(&[]);
        let is_void = |row: &ProbeResult| {
            world.voided.contains(&(row.scheduled_at, row.kind.code()))
        };
        let mut streak = 0;
        let mut hours: BTreeMap<Time, Sums> = BTreeMap::new();
        for row in world.rows.values().filter(|row| row.kind == ProbeKind::Slot) {
            let outcome = if is_void(row) { Outcome::Inconclusive } else { row.outcome };
            match outcome {
                Up => streak = 0,
                Down => streak += 1,
                Outcome::Inconclusive => {}
            }
            let hour = hours.entry(crate::window::hour_of(row.scheduled_at)).or_default();
            hour.count(outcome, row.latency_us);
        }
        prop_assert_eq!(world.health.streak, streak);
        let total = hours.values().fold(Checks::default(), |sum, hour| sum.plus(hour.checks));
        prop_assert_eq!(world.state.sla.plus(world.health.open.checks), total);
        prop_assert_eq!(world.state.day.plus(world.health.open.checks), total);
        prop_assert_eq!(world.state.sla_breached,
            total.breaches(world.service.sla_target, RULES.sla_min_checks));
        if let Some(incident) = &world.state.incident {
            let failures = world.rows.values().filter(|row| {
                row.kind == ProbeKind::Slot && row.outcome == Down && !is_void(row)
                    && row.scheduled_at >= incident.started_at
            });
            prop_assert_eq!(incident.failed_checks, u32::try_from(failures.count()).unwrap());
        }
        if let Some(hour) = world.health.hour {
            let open = world.health.open.clone();
            world.rollups.entry(hour).or_default().merge(&open);
        }
        prop_assert_eq!(&world.rollups, &hours);
        // Whatever is void failed at "p", and "q" succeeded.
        for (time, kind) in &world.voided {
            prop_assert_eq!(world.rows[&(*time, *kind)].outcome, Down);
        }
    }

    #[test]
    fn what_one_prober_alone_sees_never_becomes_an_incident(
        outcomes in proptest::collection::vec(any::<bool>(), 1..40),
    ) {
        // All of it is up; "p" fails now and then, and each doubt is answered before the next slot.
        let mut world = World::new(1);
        for (n, fails) in (0..).zip(outcomes) {
            world.batch(&[slot(n * 10, if fails { Down } else { Up })]);
            for doubted in std::mem::take(&mut world.doubted) {
                let failed = (doubted.scheduled_at - at(0)).num_seconds();
                world.batch(&[confirm(n * 10 + 1, failed, Up, "q")]);
            }
            prop_assert_eq!(world.health.streak, 0);
        }
        prop_assert_eq!(world.kinds(), vec![]);
        prop_assert_eq!(world.health.open.checks.failed, 0);
    }
}
