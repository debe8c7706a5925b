use chrono::DateTime;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

/// As messages have it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Ours {
    #[serde(with = "super")]
    at: Time,
    #[serde(default, with = "option")]
    maybe: Option<Time>,
}

/// As chrono has it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chronos {
    at: Time,
    #[serde(default)]
    maybe: Option<Time>,
}

/// Any time that chrono can hold, leap seconds and the edges of years among them.
fn times() -> impl Strategy<Value = Time> {
    let (first, last) = (Time::MIN_UTC.timestamp(), Time::MAX_UTC.timestamp());
    let seconds = prop_oneof![
        4 => 0_i64..4_102_444_800, // up to 2100
        2 => -62_167_219_200_i64..253_402_300_800, // years 0 to 9999
        1 => first..=last,
        1 => (-1_i64..=1).prop_map(|by| -62_167_219_200 + by),
        1 => (-1_i64..=1).prop_map(|by| 253_402_300_799 + by),
        1 => prop_oneof![Just(first), Just(last)],
    ];
    let nanos = prop_oneof![
        Just(0_u32),
        (0_u32..1_000).prop_map(|ms| ms * 1_000_000),
        (0_u32..1_000_000).prop_map(|us| us * 1_000),
        0_u32..SECOND,
    ];
    let leaps = prop::bool::weighted(0.2);
    (seconds, nanos, leaps).prop_map(|(seconds, nanos, leaps)| {
        let minute = seconds.div_euclid(60) * 60;
        let leap = DateTime::from_timestamp(minute + 59, nanos + SECOND);
        let plain = DateTime::from_timestamp(seconds, nanos);
        leap.filter(|_| leaps).or(plain).unwrap()
    })
}

/// A text of the ordinary form, of another that chrono knows, of no time, or with something of it changed.
fn texts() -> impl Strategy<Value = String> {
    let forms = prop_oneof![
        Just("%Y-%m-%dT%H:%M:%S%.fZ"),
        prop::sample::select(vec![
            "%Y-%m-%dT%H:%M:%S.%9fZ",
            "%Y-%m-%dT%H:%M:%S.%6fZ",
            "%Y-%m-%dt%H:%M:%S%.fz",
            "%Y-%m-%d %H:%M:%S%.fUTC",
            "%Y-%m-%dT%H:%M:%S%.3f+00:00",
            "%Y-%m-%dT%H:%M:%S.%9f000Z",
            "%Y-%m-%dT%H:%M:%S%.3f-0730",
            "%Y-%m-%dT%H:%M:60%.fZ",
            "%Y-%m-%dT24:%M:%SZ",
            "%Y-%m-31T%H:%M:%SZ",
            "%-Y-%-m-%-d T%-H:%-M:%-S Z",
        ]),
    ];
    let written = (times(), forms).prop_map(|(at, form)| at.format(form).to_string());
    let change = (any::<prop::sample::Index>(), "[ -~é]", 0_usize..6);
    let made_up =
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,11})?Z";
    (prop_oneof![2 => written, 1 => made_up], change).prop_map(|(mut text, (at, with, how))| {
        let at = at.index(text.len());
        match how {
            0 => text.insert_str(at, &with),
            1 => text.replace_range(at..=at, &with),
            2 => text.truncate(at),
            _ => {}
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_time_is_written_as_chrono_writes_it(at in times(), other in times()) {
        for maybe in [None, Some(other)] {
            let ours = serde_json::to_string(&Ours { at, maybe }).unwrap();
            prop_assert_eq!(ours, serde_json::to_string(&Chronos { at, maybe }).unwrap());
        }
    }

    #[test]
    fn every_text_is_read_as_chrono_reads_it(text in texts()) {
        let json = serde_json::json!({ "at": text }).to_string();
        let ours = serde_json::from_str::<Ours>(&json).map(|ours| ours.at);
        let chronos = serde_json::from_str::<Chronos>(&json).map(|chronos| chronos.at);
        match (ours, chronos) {
            (Err(ours), Err(chronos)) => prop_assert_eq!(ours.to_string(), chronos.to_string()),
            (ours, chronos) => prop_assert_eq!(ours.ok(), chronos.ok(), "{}", text),
        }
    }

    #[test]
    fn what_is_written_is_read_back(at in times()) {
        let text = serde_json::to_string(&Ours { at, maybe: Some(at) }).unwrap();
        let read: Ours = serde_json::from_str(&text).unwrap();
        prop_assert_eq!((read.at, read.maybe), (at, Some(at)));
    }
}

#[test]
fn the_ordinary_form_needs_no_chrono() {
    for text in [
        "0000-01-01T00:00:00Z",
        "2026-01-31T12:00:01.500Z",
        "2024-02-29T23:59:59.123456Z",
        "9999-12-31T23:59:59.999999999Z",
    ] {
        let time = ordinary_time(text).unwrap();
        assert_eq!(ordinary_text(time, &mut [0; LONGEST]), Some(text));
        assert_eq!(time, text.parse::<Time>().unwrap());
    }
}

#[test]
fn what_is_no_text_is_refused_as_chrono_refuses_it() {
    let at = r#""at":"2026-01-31T12:00:01Z""#;
    let maybe = |value| format!("{{{at},\"maybe\":{value}}}");
    for text in [
        r#"{"at":1}"#,
        r#"{"at":null}"#,
        "{}",
        &maybe("1"),
        &maybe("[]"),
        &maybe("\"today\""),
    ] {
        let ours = serde_json::from_str::<Ours>(text).unwrap_err();
        let chronos = serde_json::from_str::<Chronos>(text).unwrap_err();
        assert_eq!(ours.to_string(), chronos.to_string());
    }
}
