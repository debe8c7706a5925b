use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::milliseconds(ms)
}

fn minute(most: u32) -> Limit {
    Limit::per_minute(most)
}

#[test]
fn a_block_is_at_most_five_percent_and_at_least_one() {
    assert_eq!(minute(600).block(), 30);
    assert_eq!(minute(120).block(), 6);
    assert_eq!(minute(119).block(), 5);
    assert_eq!(minute(10).block(), 1);
}

#[test]
fn a_delay_doubles_and_ends_at_two_seconds() {
    let ms = |failures| login_delay(failures, 5).num_milliseconds();
    assert_eq!((ms(0), ms(4), ms(5), ms(6), ms(7)), (0, 0, 100, 200, 400));
    assert_eq!(
        (ms(9), ms(10), ms(100), ms(u64::MAX)),
        (1600, 2000, 2000, 2000)
    );
}

#[test]
fn a_count_far_ahead_of_the_clock_is_begun_anew() {
    let wrong = Count {
        ends_at: at(1_000_000),
        asked: 99,
    };
    let count = Count::after(Some(wrong), 1, at(0), TimeDelta::minutes(1));
    assert_eq!((count.ends_at, count.asked), (at(60_000), 1));
}

#[test]
fn what_a_client_is_told_counts_down() {
    let mut lease = Lease::new(minute(2));
    assert_eq!(lease.spend(at(0)), Spend::Ask);
    lease.add(1, Count::after(None, 1, at(0), TimeDelta::minutes(1)));
    let told = Allowance {
        limit: 2,
        remaining: 1,
        reset_seconds: 60,
    };
    assert_eq!(lease.spend(at(500)), Spend::Passed(told));
    assert_eq!(lease.spend(at(500)), Spend::Ask);
    lease.add(
        5,
        Count {
            ends_at: at(60_000),
            asked: 6,
        },
    );
    assert!(matches!(lease.spend(at(500)), Spend::Passed(told) if told.remaining == 0));
    assert!(matches!(lease.spend(at(59_500)), Spend::Exhausted(told) if told.reset_seconds == 1));
    assert_eq!(lease.spend(at(60_000)), Spend::Ask);
    assert!(lease.is_over(at(60_000)));
}

proptest! {
    /// However many processes ask whenever and for whatever, and whether or not they give back.
    #[test]
    fn no_window_ever_passes_more_than_its_limit(
        most in 1_u32..200,
        own_blocks in any::<bool>(),
        asks in prop::collection::vec((0_usize..4, 0_i64..9_000, 1_u32..20), 1..400),
    ) {
        let limit = minute(most);
        let mut leases = [Lease::new(limit); 4];
        let mut shared: Option<Count> = None;
        let mut now = at(0);
        let mut passed = 0_u64;
        let mut window = at(0);
        for (process, later, want) in asks {
            now += TimeDelta::milliseconds(later % 700);
            let want = if own_blocks { limit.block() } else { want };
            let lease = &mut leases[process];
            let mut spent = lease.spend(now);
            if spent == Spend::Ask {
                let count = Count::after(shared, want, now, limit.window);
                shared = Some(count);
                lease.add(want, count);
                spent = lease.spend(now);
            }
            let running = shared.unwrap().ends_at;
            if running != window {
                (window, passed) = (running, 0);
            }
            prop_assert_ne!(spent, Spend::Ask);
            if let Spend::Passed(told) = spent {
                passed += 1;
                prop_assert!(told.remaining < most);
            }
            prop_assert!(passed <= u64::from(most), "{} of {}", passed, most);
        }
    }

    /// One process alone gets all of it.
    #[test]
    fn a_lone_process_passes_exactly_the_limit(most in 1_u32..1_000) {
        let limit = minute(most);
        let mut lease = Lease::new(limit);
        let mut shared = None;
        let mut passed = 0;
        for _ in 0..most + 5 {
            let mut spent = lease.spend(at(0));
            if spent == Spend::Ask {
                let count = Count::after(shared, limit.block(), at(0), limit.window);
                shared = Some(count);
                lease.add(limit.block(), count);
                spent = lease.spend(at(0));
            }
            passed += u32::from(matches!(spent, Spend::Passed(_)));
        }
        prop_assert_eq!(passed, most);
    }
}

#[test]
fn a_window_that_was_begun_by_a_faster_clock_is_not_longer_than_it_lasts() {
    let limit = Limit::per_minute(10);
    let now = Time::UNIX_EPOCH;
    let ends_at = now + TimeDelta::milliseconds(60_003);
    assert_eq!(limit.seconds_left(ends_at, now), 60);
    let count = Count { ends_at, asked: 1 };
    let mut lease = Lease::new(limit);
    lease.add(1, count);
    let Spend::Passed(allowance) = lease.spend(now) else {
        panic!("one is leased");
    };
    assert_eq!(allowance.reset_seconds, 60);
    assert_eq!(limit.seconds_left(now + TimeDelta::milliseconds(1), now), 1);
}
