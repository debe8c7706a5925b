//! SLA breaches, while some of what they are made of is in doubt.

use proptest::prelude::*;

use super::doubts::confirm;
use super::*;
use Outcome::{Down, Up};

/// One slot, ten seconds after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Good,
    /// The target failed: a second opinion agrees.
    Bad,
    /// The prober failed: a second opinion voids it.
    Blip,
}

impl Slot {
    fn outcome(self) -> Outcome {
        if self == Self::Good { Up } else { Down }
    }
}

impl World {
    /// The slot at `seconds`, found as soon as it is due.
    fn see(&mut self, seconds: i64, outcome: Outcome) {
        self.now = at(seconds);
        self.batch(&[slot(seconds, outcome)]);
    }

    /// What another prober says of a failure, one second after it was asked.
    fn second_opinion(&mut self, failed: i64, outcome: Outcome) {
        let seconds = (self.now - at(0)).num_seconds() + 1;
        self.now = at(seconds);
        self.batch(&[confirm(seconds, failed, outcome, "q")]);
    }

    /// Slots ten seconds apart from `from` on.
    fn see_up(&mut self, from: i64, slots: i64) {
        for n in 0..slots {
            self.see(from + n * 10, Up);
        }
    }

    fn breaches(&self) -> usize {
        let kinds = self.kinds();
        kinds.iter().filter(|k| **k == AlertKind::SlaBreach).count()
    }
}

#[test]
fn blips_that_are_void_at_once_raise_no_breach_and_repeat_none() {
    let mut world = World::new(9_900);
    world.see_up(0, 16);
    world.see(160, Down);
    world.second_opinion(160, Down);
    world.see(170, Up);
    assert_eq!(world.breaches(), 0, "one failure alone");
    for n in 0..5 {
        world.see(200 + n * 20, Down);
        world.second_opinion(200 + n * 20, Up);
        world.see(210 + n * 20, Up);
    }
    assert_eq!((world.breaches(), world.state.sla_breached), (0, false));
    // A real one is told with its second opinion, and no blip tells it again.
    world.see(400, Down);
    assert_eq!(world.breaches(), 0, "in doubt");
    world.second_opinion(400, Down);
    assert_eq!((world.breaches(), world.state.sla_breached), (1, true));
    let AlertEvent::SlaBreach { judged, failed, .. } = world.alerts[0].event else {
        panic!("{:?}", world.alerts[0]);
    };
    assert_eq!((judged, failed), (24, 2), "void ones are none");
    for n in 0..5 {
        world.see(500 + n * 20, Down);
        world.second_opinion(500 + n * 20, Up);
        world.see(510 + n * 20, Up);
    }
    assert_eq!((world.breaches(), world.state.sla_breached), (1, true));
}

#[test]
fn a_failure_that_is_still_in_doubt_is_not_in_the_figure_that_a_breach_tells() {
    let mut world = World::new(9_000);
    world.see_up(0, 8);
    for seconds in [80, 100] {
        world.see(seconds, Down);
        world.second_opinion(seconds, Down);
        world.see(seconds + 5, Up);
    }
    assert_eq!(world.breaches(), 1, "10 of 12");
    // The breach ends by successes alone, and not while a failure is in doubt.
    world.see_up(200, 7);
    assert!(world.state.sla_breached, "17 of 19");
    world.see(300, Down);
    world.see(302, Up);
    assert!(world.state.sla_breached, "18 of 20, or 18 of 21");
    world.second_opinion(300, Down);
    world.see(310, Up);
    assert_eq!((world.breaches(), world.state.sla_breached), (1, true));
}

#[test]
fn a_breach_by_a_failure_that_nobody_answers_is_told_with_the_next_result_after_its_time() {
    let mut world = World::new(9_000);
    world.see_up(0, 9);
    world.see(90, Down);
    world.second_opinion(90, Down);
    world.see(95, Up);
    world.see(100, Down);
    for (seconds, told) in [(101, 0), (120, 0), (121, 1), (122, 1)] {
        world.see(seconds, Up);
        assert_eq!(world.breaches(), told, "{seconds}");
    }
}

#[test]
fn any_answer_ends_a_doubt_though_it_voids_nothing() {
    for (outcome, prober) in [(Down, "q"), (Outcome::Inconclusive, "q"), (Up, "p")] {
        let mut world = World::new(9_000);
        world.see_up(0, 8);
        for seconds in [80, 100] {
            world.see(seconds, Down);
            assert_eq!(world.breaches(), 0, "{outcome:?} {prober}");
            let answer = confirm(seconds + 1, seconds, outcome, prober);
            world.batch(&[answer]);
            world.see(seconds + 5, Up);
        }
        assert_eq!(world.breaches(), 1, "{outcome:?} {prober}");
    }
}

#[test]
fn what_a_void_failure_leaves_of_a_streak_is_in_doubt_with_it_and_after_it() {
    let mut world = World::new(9_900);
    world.see_up(0, 12);
    world.see(120, Down);
    world.see(122, Down);
    assert_eq!(world.breaches(), 0, "both may be the prober's");
    world.second_opinion(120, Up);
    assert_eq!(world.breaches(), 0, "the second is asked for now");
    world.second_opinion(122, Up);
    world.see(130, Up);
    assert_eq!((world.breaches(), world.state.sla_breached), (0, false));
}

/// Mostly good: the figure moves about the target.
fn slots() -> impl Strategy<Value = Vec<(Slot, u8)>> {
    let slot = prop_oneof![
        8 => Just(Slot::Good),
        2 => Just(Slot::Bad),
        2 => Just(Slot::Blip),
    ];
    proptest::collection::vec((slot, 1_u8..18), 1..120)
}

/// How often the figure falls below the target, when only what is real is counted.
fn crossings(slots: &[Slot], target: SlaTarget) -> usize {
    let (mut checks, mut is_breached, mut crossings) = (Checks::default(), false, 0);
    for slot in slots.iter().filter(|slot| **slot != Slot::Blip) {
        checks.judged += 1;
        checks.failed += u64::from(*slot == Slot::Bad);
        let was_breached = std::mem::replace(
            &mut is_breached,
            checks.breaches(target, RULES.sla_min_checks),
        );
        crossings += usize::from(is_breached && !was_breached);
    }
    crossings
}

proptest! {
    #[test]
    fn answered_at_once_there_are_as_many_alerts_as_real_crossings(slots in slots()) {
        let mut world = World::new(8_500);
        let kinds: Vec<Slot> = slots.into_iter().map(|(slot, _)| slot).collect();
        for (n, slot) in (0..).zip(&kinds) {
            world.see(n * 10, slot.outcome());
            for doubted in std::mem::take(&mut world.doubted) {
                let failed = (doubted.scheduled_at - at(0)).num_seconds();
                let truth = kinds[usize::try_from(failed / 10).unwrap()];
                let outcome = if truth == Slot::Bad { Down } else { Up };
                world.second_opinion(failed, outcome);
            }
        }
        // What is asked for is the first of a streak: a blip behind a real failure is never void.
        let real: Vec<Slot> = (0..).zip(&kinds).map(|(n, slot)| {
            let is_void = world.voided.contains(&(at(n * 10), ProbeKind::Slot.code()));
            match slot {
                Slot::Blip if !is_void => Slot::Bad,
                slot => *slot,
            }
        }).collect();
        let expected = crossings(&real, world.service.sla_target);
        prop_assert_eq!(world.breaches(), expected);
    }

    #[test]
    fn answered_late_no_alert_is_false_none_is_repeated_and_the_last_word_is_the_rows_own(
        slots in slots(),
    ) {
        // Each answer takes up to 17 s, so several are under way, and slots come between.
        let mut world = World::new(8_500);
        let mut asked: Vec<(i64, i64)> = Vec::new();
        let mut told_at: Vec<i64> = Vec::new();
        let end = i64::try_from(slots.len()).unwrap() * 10 + 30;
        for second in 0..=end {
            world.now = at(second);
            let n = usize::try_from(second / 10).unwrap();
            if let (0, Some((kind, _))) = (second % 10, slots.get(n)) {
                world.batch(&[slot(second, kind.outcome())]);
            }
            asked.sort_unstable();
            while let Some((_, failed)) = asked.pop_if(|(due, _)| *due <= second) {
                let (truth, _) = slots[usize::try_from(failed / 10).unwrap()];
                let outcome = if truth == Slot::Bad { Down } else { Up };
                // Asked for when the failure came: see `opinion::in_doubt`.
                let mut answer = confirm(second, failed, outcome, "q");
                answer.scheduled_at = at(failed) + chrono::TimeDelta::milliseconds(1 + failed);
                world.batch(&[answer]);
            }
            for doubted in std::mem::take(&mut world.doubted) {
                let failed = (doubted.scheduled_at - at(0)).num_seconds();
                let (_, delay) = slots[usize::try_from(failed / 10).unwrap()];
                asked.push((second.max(failed) + i64::from(delay), failed));
            }
            if world.breaches() > told_at.len() {
                told_at.push(second);
            }
        }
        world.now = at(end + 100);
        world.batch(&[]);
        if world.breaches() > told_at.len() {
            told_at.push(end);
        }
        prop_assert_eq!(told_at.len(), world.breaches());
        // What turned out to be real, as of each slot.
        let mut checks = Checks::default();
        let mut is_below: Vec<bool> = Vec::new();
        for row in world.rows.values().filter(|row| row.kind == ProbeKind::Slot) {
            if !world.voided.contains(&(row.scheduled_at, row.kind.code())) {
                checks.judged += 1;
                checks.failed += u64::from(row.outcome == Down);
            }
            is_below.push(checks.breaches(world.service.sla_target, RULES.sla_min_checks));
        }
        prop_assert_eq!(Some(&world.state.sla_breached), is_below.last());
        let of = |second: i64| usize::try_from(second / 10).unwrap().min(is_below.len() - 1);
        for told in &told_at {
            // Told within the doubt's time after a moment at which it was true.
            let since = of((told - 21).max(0));
            prop_assert!(is_below[since..=of(*told)].contains(&true), "false at {told}");
        }
        for pair in told_at.windows(2) {
            let (one, next) = (of((pair[0] - 21).max(0)), of(pair[1]));
            prop_assert!(is_below[one..=next].contains(&false), "repeated at {}", pair[1]);
        }
        let real = is_below.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        prop_assert!(world.breaches() <= real, "{} of {real}", world.breaches());
    }
}
