use proptest::prelude::*;

use super::*;
use crate::interval::Interval;

fn ms(ms: i64) -> Time {
    from_ms(ms)
}

fn intervals() -> impl Strategy<Value = u32> {
    prop::sample::select(&Interval::ALL[..]).prop_map(Interval::ms)
}

#[test]
fn hash_phase_and_shard_of_an_id_are_frozen() {
    let golden = [
        (
            "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8091",
            737_266_928_174_727_313,
            1,
            27_313,
            5_127_313,
        ),
        ("00000000-0000-7000-8000-000000000001", 1, 1, 1, 1),
        (
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            4_611_686_018_427_387_903,
            15,
            27_903,
            56_187_903,
        ),
    ];
    for (id, hash, shard_of_it, phase_minute, phase_day) in golden {
        let id: ServiceId = id.parse().unwrap();
        assert_eq!(id.hash62(), hash, "{id}");
        assert_eq!(shard(id), shard_of_it, "{id}");
        assert_eq!(phase_ms(id, 60_000), phase_minute, "{id}");
        assert_eq!(phase_ms(id, 86_400_000), phase_day, "{id}");
    }
}

#[test]
fn windows_are_half_open_at_their_beginning() {
    let slots = Slots::new(10_000, 3_000);
    let due: Vec<Time> = slots.in_window(ms(3_000), ms(23_000)).collect();
    assert_eq!(due, [ms(13_000), ms(23_000)]);
    assert_eq!(slots.count(ms(3_000), ms(23_000)), 2);
    assert_eq!(slots.count(ms(23_000), ms(3_000)), 0);
    assert_eq!(slots.next_after(ms(3_000)), ms(13_000));
    assert_eq!(slots.last_at(ms(12_999)), ms(3_000));
}

#[test]
fn times_between_milliseconds_and_before_1970_are_no_trouble() {
    let slots = Slots::new(1_000, 0);
    let just_after = ms(5_000) + TimeDelta::microseconds(1);
    assert!(!slots.contains(just_after));
    assert_eq!(slots.count(ms(5_000), just_after), 1);
    assert_eq!(slots.count(just_after, ms(6_000)), 0);
    assert_eq!(slots.last_at(ms(-1)), ms(-1_000));
}

#[test]
fn a_job_is_stale_after_half_an_interval_and_at_most_a_minute() {
    assert_eq!(not_after(ms(0), 1_000), ms(500));
    assert_eq!(not_after(ms(0), 60_000), ms(30_000));
    assert_eq!(not_after(ms(0), 86_400_000), ms(60_000));
}

proptest! {
    #[test]
    fn phase_and_shard_are_in_range_and_phases_reach_every_slot(
        id in any::<u128>(), interval in intervals(),
    ) {
        let id = ServiceId(uuid::Uuid::from_u128(id));
        prop_assert!(shard(id) < SHARDS);
        prop_assert!(phase_ms(id, interval) < interval);
        prop_assert!(Slots::of(id, interval).contains(ms(i64::from(phase_ms(id, interval)))));
    }

    #[test]
    fn due_phases_are_exactly_those_with_a_slot_in_the_window(
        interval in prop::sample::select(&[1_000_u32, 2_000, 10_000][..]),
        after in 0_i64..100_000, length in -5_i64..12_000,
    ) {
        let (after, through) = (ms(after), ms(after + length));
        let ranges = due_phases(interval, after, through);
        for phase in 0..interval {
            let due = Slots::new(interval, phase).in_window(after, through).next().is_some();
            let hits = ranges.iter().filter(|(from, to)| (*from..=*to).contains(&phase)).count();
            prop_assert_eq!(hits, usize::from(due), "phase {}", phase);
        }
    }

    #[test]
    fn every_slot_falls_into_exactly_one_window_whatever_the_ticks(
        interval in intervals(), phase in any::<u32>(),
        start in 0_i64..4_000_000_000_000, ticks in prop::collection::vec(1_u32..90_000, 1..60),
    ) {
        let slots = Slots::new(interval, phase);
        let mut dispatched = Vec::new();
        let mut through = start;
        for tick in ticks {
            let next = through + i64::from(tick);
            dispatched.extend(slots.in_window(ms(through), ms(next)));
            through = next;
        }
        let expected: Vec<Time> = slots.in_window(ms(start), ms(through)).collect();
        prop_assert_eq!(&dispatched, &expected);
        prop_assert_eq!(
            slots.count(ms(start + 1), ms(through + 1)),
            u64::try_from(expected.len()).unwrap()
        );
        for slot in expected {
            prop_assert!(slots.contains(slot));
            prop_assert_eq!(slots.last_at(slot), slot);
        }
    }
}
