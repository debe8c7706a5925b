use proptest::prelude::*;

use super::*;

fn of(values: &[u32]) -> Histogram {
    let mut histogram = Histogram::new();
    for &value in values {
        histogram.record(value);
    }
    histogram
}

/// Every bucket is about as likely.
fn latencies(most: usize) -> impl Strategy<Value = Vec<u32>> {
    let latency = (1..BUCKETS - 1, any::<u32>()).prop_map(|(bucket, within)| {
        let below = UPPER_US[bucket - 1];
        below + 1 + within % (UPPER_US[bucket] - below)
    });
    prop::collection::vec(latency, 1..most)
}

#[test]
fn the_bounds_are_frozen_and_reach_from_a_tenth_of_a_millisecond_to_two_minutes() {
    assert_eq!(UPPER_US[..5], [100, 104, 108, 112, 116]);
    assert_eq!(UPPER_US[100], 5_050);
    assert_eq!(UPPER_US[357], 120_476_441);
    assert!(UPPER_US[356] < 120_000_000);
    assert!(UPPER_US.is_sorted_by(|a, b| a < b));
}

#[test]
fn no_value_of_any_bucket_is_off_by_more_than_two_percent() {
    for bucket in 1..u16::try_from(BUCKETS).unwrap() {
        let told = f64::from(representative_us(bucket));
        for value in [upper_us(bucket - 1) + 1, upper_us(bucket)] {
            assert_eq!(bucket_of(value), bucket, "{value}");
            let value = f64::from(value);
            assert!(
                (told - value).abs() <= 0.02 * value + 0.5,
                "{value} as {told}"
            );
        }
    }
}

#[test]
fn values_outside_the_range_count_at_its_ends() {
    assert_eq!(of(&[0, 7, 100]).percentile(99), Some(100));
    assert_eq!(of(&[u32::MAX]).buckets().next(), Some((120_476_441, 1)));
    assert_eq!(Histogram::new().percentile(50), None);
}

#[test]
fn percentiles_are_nearest_rank() {
    let histogram = of(&[100, 100, 100, 50_000]);
    assert_eq!(histogram.percentile(0), Some(100));
    assert_eq!(histogram.percentile(75), Some(100));
    let p76 = histogram.percentile(76).unwrap();
    assert!((49_000..=51_000).contains(&p76), "{p76}");
}

#[test]
fn the_worst_small_histogram_fits_into_a_kibibyte() {
    // As many three-byte counts as SMALL_TOTAL allows, two bytes for the others, all buckets used.
    let mut buckets: Vec<(u16, u64)> = (0..358).map(|bucket| (bucket, 128)).collect();
    let mut left = Histogram::SMALL_TOTAL - 128 * 358;
    for entry in &mut buckets {
        let Some(rest) = left.checked_sub(16_384 - 128) else {
            break;
        };
        entry.1 = 16_384;
        left = rest;
    }
    let histogram = Histogram { buckets };
    let bytes = histogram.to_bytes();
    assert!(histogram.total() <= Histogram::SMALL_TOTAL);
    assert!(bytes.len() > 1_000, "not the worst: {}", bytes.len());
    assert!(bytes.len() <= Histogram::MAX_SMALL_BYTES, "{}", bytes.len());
}

#[test]
fn the_encoding_is_frozen() {
    let histogram = of(&[100, 104, 104, 5_050, 120_000_000]);
    let hex: String = histogram
        .to_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let middle_of_bitmap = "00".repeat(31);
    assert_eq!(
        hex,
        format!("0100002d03000000000000000000000010{middle_of_bitmap}2001020101")
    );
    let small = of(&[20_000; 200]);
    assert_eq!(small.to_bytes(), [1, 136, 0, 1, 1, 0xc8, 0x01]);
    assert!(Histogram::new().to_bytes().is_empty());
}

#[test]
fn bytes_that_are_no_histogram_are_refused_with_the_reason() {
    let cases: [(&[u8], &str); 9] = [
        (&[1, 0], "its header is cut off"),
        (&[9, 0, 0, 1, 1, 1], "its version is unknown"),
        (&[1, 0, 0, 2, 1], "its bitmap is cut off"),
        (&[1, 0, 0, 1, 1], "a count is cut off"),
        (&[1, 0, 0, 1, 1, 0x80], "a count is cut off"),
        (&[1, 0, 0, 1, 1, 0], "a count is zero"),
        (&[1, 0, 0, 1, 1, 1, 1], "bytes follow its end"),
        (&[1, 0xff, 0xff, 1, 2, 1], "a bucket does not exist"),
        (
            &[
                1, 0, 0, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2,
            ],
            "a count is too large",
        ),
    ];
    for (bytes, reason) in cases {
        assert_eq!(Histogram::from_bytes(bytes), Err(BadHistogram(reason)));
    }
}

#[test]
fn counts_stop_at_their_maximum() {
    let full = Histogram {
        buckets: vec![(3, u64::MAX)],
    };
    let mut sum = full.clone();
    sum.merge(&full);
    assert_eq!(sum.total(), u64::MAX);
    assert_eq!(Histogram::from_bytes(&sum.to_bytes()), Ok(sum));
}

proptest! {
    #[test]
    fn a_percentile_is_within_two_percent_of_the_sorted_values(
        mut values in latencies(300), percent in 0_u8..=100,
    ) {
        let told = f64::from(of(&values).percentile(percent).unwrap());
        values.sort_unstable();
        let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
        let exact = f64::from(values[rank - 1]);
        prop_assert!((told - exact).abs() <= 0.02 * exact + 0.5, "{} as {}", exact, told);
    }

    #[test]
    fn merging_is_associative_commutative_and_the_same_as_counting_together(
        a in latencies(60), b in latencies(60), c in latencies(60),
    ) {
        let (ha, hb, hc) = (of(&a), of(&b), of(&c));
        let merged = |parts: [&Histogram; 3]| {
            let mut sum = parts[0].clone();
            sum.merge(parts[1]);
            sum.merge(parts[2]);
            sum
        };
        let mut right = hb.clone();
        right.merge(&hc);
        let mut nested = ha.clone();
        nested.merge(&right);
        let together = of(&[a, b, c].concat());
        prop_assert_eq!(&merged([&ha, &hb, &hc]), &together);
        prop_assert_eq!(&merged([&hc, &ha, &hb]), &together);
        prop_assert_eq!(&nested, &together);
        let mut with_nothing = together.clone();
        with_nothing.merge(&Histogram::new());
        prop_assert_eq!(with_nothing, together);
    }

    #[test]
    fn an_hour_of_any_latencies_reads_back_and_fits(values in latencies(3_600)) {
        let histogram = of(&values);
        let bytes = histogram.to_bytes();
        prop_assert!(bytes.len() <= Histogram::MAX_SMALL_BYTES);
        prop_assert_eq!(Histogram::from_bytes(&bytes), Ok(histogram));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(histogram) = Histogram::from_bytes(&bytes) {
            let again = Histogram::from_bytes(&histogram.to_bytes());
            prop_assert_eq!(again, Ok(histogram));
        }
    }
}
