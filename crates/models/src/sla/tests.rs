use proptest::prelude::*;

use super::*;

fn checks(judged: u64, failed: u64) -> Checks {
    Checks {
        judged,
        failed,
        ..Checks::default()
    }
}

fn target(hundredths: u16) -> SlaTarget {
    SlaTarget::from_hundredths(hundredths).unwrap()
}

#[test]
fn percentages_are_rounded_down_and_never_up_to_100() {
    let shown = |part, whole| percent_floor(part, whole).map(|p| p.to_string());
    assert_eq!(shown(0, 0), None);
    assert_eq!(shown(0, 5).as_deref(), Some("0.00"));
    assert_eq!(shown(99_996, 100_000).as_deref(), Some("99.99"));
    assert_eq!(shown(1, 3).as_deref(), Some("33.33"));
    assert_eq!(shown(7, 7).as_deref(), Some("100.00"));
    assert_eq!(shown(u64::MAX - 1, u64::MAX).as_deref(), Some("99.99"));
}

#[test]
fn a_percentage_is_written_as_a_number_of_two_decimals() {
    let json = |part, whole| serde_json::to_string(&percent_floor(part, whole)).unwrap();
    assert_eq!(json(99_996, 100_000), "99.99");
    assert_eq!(json(999, 1_000), "99.9");
    assert_eq!(json(1, 1), "100.0");
    assert_eq!(json(7, 10_000), "0.07");
    assert_eq!(json(0, 0), "null");
    for hundredths in 0..=10_000 {
        let text = json(hundredths, 10_000);
        let decimals = text.split_once('.').map_or(0, |(_, tail)| tail.len());
        assert!((1..=2).contains(&decimals), "{text}");
    }
}

#[test]
fn maintenance_lowers_uptime_but_not_sla() {
    let sums = Checks {
        judged: 90,
        failed: 0,
        inconclusive: 3,
        excluded: 10,
        excluded_failed: 9,
    };
    assert_eq!(sums.sla(), Some(Hundredths::ALL));
    assert_eq!(sums.uptime().unwrap().get(), 9_100);
    assert_eq!(sums.coverage(110).unwrap().get(), 9_090);
    assert_eq!(sums.missed(110), 7);
}

#[test]
fn a_breach_needs_enough_checks_and_two_failures() {
    let goal = target(9_990);
    assert!(checks(10, 2).breaches(goal, 10));
    assert!(!checks(9, 2).breaches(goal, 10), "too few judged");
    assert!(!checks(10, 1).breaches(goal, 10), "one failure alone");
    assert!(!checks(10_000, 10).breaches(goal, 10), "exactly at target");
    assert!(checks(10_000, 11).breaches(goal, 10));
}

proptest! {
    #[test]
    fn shown_below_target_exactly_when_breached(
        judged in 1_u64..200_000, any_failed in any::<u64>(), hundredths in 1_u16..=10_000,
    ) {
        let failed = any_failed % (judged + 1);
        let sums = checks(judged, failed);
        let shown = sums.sla().unwrap().percent();
        let enough = judged >= 10 && failed >= MIN_FAILED;
        let below = shown < target(hundredths).percent();
        prop_assert_eq!(sums.breaches(target(hundredths), 10), enough && below);
    }

    #[test]
    fn a_percentage_is_the_exact_fraction_rounded_down(part in 0_u64..1 << 40, more in 0_u64..1 << 40) {
        prop_assume!(part + more > 0);
        let whole = u128::from(part + more);
        let shown = u128::from(percent_floor(part, part + more).unwrap().get());
        prop_assert!(shown * whole <= u128::from(part) * 10_000);
        prop_assert!((shown + 1) * whole > u128::from(part) * 10_000);
    }

    #[test]
    fn due_is_the_sum_of_its_parts(
        judged in 0_u64..1 << 32, inconclusive in 0_u64..1 << 32,
        excluded in 0_u64..1 << 32, unknown in 0_u64..1 << 32,
    ) {
        let sums = Checks { judged, inconclusive, excluded, ..Checks::default() };
        let due = judged + inconclusive + excluded + unknown;
        let missed = sums.missed(due);
        prop_assert_eq!(missed, unknown);
        prop_assert_eq!(judged + inconclusive + missed + excluded, due);
        prop_assert_eq!(sums.missed(0), 0);
    }
}
