//! Any order, any batches, any duplicates: against a few lines that know all rows at once.

use proptest::prelude::*;

use super::*;
use crate::window::hour_of;

/// Up to 60 results over two and a half hours, times colliding now and then.
fn results() -> impl Strategy<Value = Vec<ProbeResult>> {
    let kind = prop_oneof![
        6 => Just(ProbeKind::Slot),
        1 => Just(ProbeKind::First),
        1 => Just(ProbeKind::Catchup),
        1 => Just(ProbeKind::Manual),
    ];
    let outcome = prop_oneof![
        4 => Just(Outcome::Down),
        3 => Just(Outcome::Up),
        1 => Just(Outcome::Inconclusive),
    ];
    proptest::collection::vec((kind, 0_i64..300, outcome), 1..60).prop_map(|rows| {
        let mut results = BTreeMap::new();
        for (kind, slot, outcome) in rows {
            results
                .entry((slot, kind.code()))
                .or_insert_with(|| result(kind, slot * 30, outcome));
        }
        results.into_values().collect()
    })
}

/// The results in any order with some repeated, cut into batches of 1 to 7.
fn arrivals() -> impl Strategy<Value = (Vec<ProbeResult>, Vec<Vec<ProbeResult>>)> {
    (results(), 1_usize..8).prop_flat_map(|(results, size)| {
        let repeated = proptest::sample::subsequence(results.clone(), 0..=results.len());
        let all = results.clone();
        repeated
            .prop_map(move |repeated| [all.clone(), repeated].concat())
            .prop_shuffle()
            .prop_map(move |shuffled| {
                let batches = shuffled.chunks(size).map(<[_]>::to_vec).collect();
                (results.clone(), batches)
            })
    })
}

fn deciding(results: &[ProbeResult]) -> impl Iterator<Item = &ProbeResult> {
    results
        .iter()
        .filter(|r| r.kind.moves_state() && r.outcome != Outcome::Inconclusive)
}

proptest! {
    #[test]
    fn sums_and_streak_do_not_depend_on_the_order_of_arrival((results, batches) in arrivals()) {
        let mut world = World::new(9_000);
        for batch in &batches {
            world.batch(batch);
        }
        world.now = at(100_000); // no doubt lasts so long
        world.batch(&[]);
        let health = &world.health;
        let failures = deciding(&results)
            .fold(0, |streak, r| if r.outcome == Outcome::Up { 0 } else { streak + 1 });
        prop_assert_eq!(health.streak, failures);
        let newest = deciding(&results).last();
        prop_assert_eq!(health.last_scheduled_at, newest.map(|r| r.scheduled_at));
        prop_assert_eq!(health.last_outcome, newest.map(|r| r.outcome));
        let newest_of = |outcome| deciding(&results)
            .filter(|r| r.outcome == outcome).map(|r| r.scheduled_at).max();
        prop_assert_eq!(health.last_success_at, newest_of(Outcome::Up));
        prop_assert_eq!(health.last_failure_at, newest_of(Outcome::Down));
        prop_assert_eq!(health.last_checked_at, results.iter().map(|r| r.checked_at).max());

        let mut hours: BTreeMap<Time, Sums> = BTreeMap::new();
        for r in results.iter().filter(|r| r.kind.counts()) {
            hours.entry(hour_of(r.scheduled_at)).or_default().count(r.outcome, r.latency_us);
        }
        let total = hours.values().fold(Checks::default(), |sum, hour| sum.plus(hour.checks));
        prop_assert_eq!(world.state.sla.plus(health.open.checks), total);
        prop_assert_eq!(world.state.day.plus(health.open.checks), total);
        prop_assert_eq!(world.state.sla_breached,
            total.breaches(world.service.sla_target, RULES.sla_min_checks));
        if let Some(hour) = world.health.hour {
            let open = world.health.open.clone();
            world.rollups.entry(hour).or_default().merge(&open);
        }
        prop_assert_eq!(&world.rollups, &hours);
    }

    #[test]
    fn incidents_alternate_and_their_alerts_pair_up_whatever_arrives((_, batches) in arrivals()) {
        let mut world = World::new(1);
        for batch in &batches {
            world.batch(batch);
            let open: Vec<_> = world.incidents.values().filter(|i| i.ended_at.is_none()).collect();
            prop_assert!(open.len() <= 1);
            prop_assert_eq!(world.state.incident.as_ref(), open.first().copied());
            prop_assert_eq!(world.state.status == Status::Down, open.len() == 1);
            prop_assert!(open.len() == 1 || world.health.streak < RULES.failure_threshold);
        }
        for incident in world.incidents.values() {
            prop_assert!(incident.failed_checks >= RULES.failure_threshold);
            prop_assert!(incident.ended_at.is_none_or(|end| end > incident.last_failure_at));
            let told = world.alerts.iter().filter(|a| a.incident == Some(incident.id));
            let kinds: Vec<_> = told.map(|a| a.kind).collect();
            let expected: &[AlertKind] = match incident.ended_at {
                Some(_) => &[AlertKind::FailureStreak, AlertKind::Recovery],
                None => &[AlertKind::FailureStreak],
            };
            prop_assert_eq!(kinds, expected);
        }
    }

    #[test]
    fn in_order_the_incidents_are_the_runs_of_three(results in results(), size in 1_usize..8) {
        let mut world = World::new(1);
        let mut ordered = results.clone();
        ordered.sort_by_key(|r| (r.scheduled_at, r.kind.code()));
        for batch in ordered.chunks(size) {
            world.batch(batch);
        }
        let mut runs: Vec<(Vec<Time>, Option<Time>)> = Vec::new();
        let mut run: Vec<Time> = Vec::new();
        for r in deciding(&ordered) {
            if r.outcome == Outcome::Down {
                run.push(r.scheduled_at);
            } else if !run.is_empty() {
                runs.push((std::mem::take(&mut run), Some(r.scheduled_at)));
            }
        }
        runs.push((run, None));
        let expected: Vec<_> = runs
            .into_iter()
            .filter(|(run, _)| run.len() >= 3)
            .map(|(run, end)| (run[0], end, u32::try_from(run.len()).unwrap()))
            .collect();
        // A success at the very moment of the newest failure is not newer than it.
        let tie = deciding(&ordered).zip(deciding(&ordered).skip(1))
            .any(|(one, next)| one.scheduled_at == next.scheduled_at);
        prop_assume!(!tie);
        let told: Vec<_> = world.incidents.values()
            .map(|i| (i.started_at, i.ended_at, i.failed_checks)).collect();
        prop_assert_eq!(told, expected);
    }
}
