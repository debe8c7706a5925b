//! Times as messages carry them: exactly what chrono writes and accepts, for a fraction of its price.
//!
//! A prober reads three times and writes two for each probe, and nearly all are of one form:
//! `2026-01-31T12:00:01.500Z`. That form is read and written here; all others (a year of more than
//! four digits, another offset, a leap second to be read) are left to chrono, and so are errors.
//!
//! For `#[serde(with = "stamp")]`, or `"stamp::option"` on what may be absent.

use std::fmt;

use chrono::{Datelike as _, NaiveDate, Timelike as _};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serialize as _, Serializer};

use crate::Time;

/// Bytes of the longest text of the ordinary form: `2026-01-31T12:00:01.500000000Z`.
const LONGEST: usize = 30;
/// Nanoseconds of a second; chrono counts on from here in a leap second.
const SECOND: u32 = 1_000_000_000;

/// Writes as chrono does.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    let mut room = [0; LONGEST];
    match ordinary_text(*time, &mut room) {
        Some(text) => serializer.serialize_str(text),
        None => time.serialize(serializer),
    }
}

/// Reads what chrono reads.
///
/// # Errors
/// When it is not a time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    deserializer.deserialize_str(Stamp)
}

/// The same for a time that may be absent.
pub mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Time;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Known(#[serde(with = "super")] Time);

    /// Writes as chrono does.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Known).serialize(serializer)
    }

    /// Reads what chrono reads.
    ///
    /// # Errors
    /// When it is neither a time nor `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        let known = Option::<Known>::deserialize(deserializer)?;
        Ok(known.map(|Known(time)| time))
    }
}

struct Stamp;

impl Visitor<'_> for Stamp {
    type Value = Time;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an RFC 3339 formatted date and time string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        match ordinary_time(text) {
            Some(time) => Ok(time),
            None => text.parse().map_err(E::custom),
        }
    }
}

/// As chrono: no fraction, or one of three, six or nine digits. `None` unless the year has four.
fn ordinary_text(time: Time, room: &mut [u8; LONGEST]) -> Option<&str> {
    let time = time.naive_utc();
    let year = u32::try_from(time.year()).ok().filter(|&y| y <= 9999)?;
    let leap = time.nanosecond() / SECOND;
    let nanos = time.nanosecond() % SECOND;
    let [y1, y2] = two_digits(year / 100);
    let [y3, y4] = two_digits(year % 100);
    let [m1, m2] = two_digits(time.month());
    let [d1, d2] = two_digits(time.day());
    let [h1, h2] = two_digits(time.hour());
    let [i1, i2] = two_digits(time.minute());
    let [s1, s2] = two_digits(time.second() + leap);
    let [_, f1] = two_digits(nanos / 100_000_000);
    let [f2, f3] = two_digits(nanos / 1_000_000 % 100);
    let [f4, f5] = two_digits(nanos / 10_000 % 100);
    let [f6, f7] = two_digits(nanos / 100 % 100);
    let [f8, f9] = two_digits(nanos % 100);
    *room = [
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'.',
        f1, f2, f3, f4, f5, f6, f7, f8, f9, b'Z',
    ];
    let length = match nanos {
        0 => LONGEST - 10,
        _ if nanos.is_multiple_of(1_000_000) => LONGEST - 6,
        _ if nanos.is_multiple_of(1_000) => LONGEST - 3,
        _ => LONGEST,
    };
    let text = room.get_mut(..length)?;
    *text.last_mut()? = b'Z';
    std::str::from_utf8(text).ok()
}

/// Of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    [number / 10, number % 10].map(|digit| b'0' + u8::try_from(digit % 10).unwrap_or(0))
}

/// `None` when the text is of another form, or no time at all.
fn ordinary_time(text: &str) -> Option<Time> {
    let (whole, rest) = text.as_bytes().split_first_chunk::<19>()?;
    #[rustfmt::skip]
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *whole else {
        return None;
    };
    let year = i32::try_from(number([y1, y2, y3, y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number([m1, m2])?, number([d1, d2])?)?;
    let nanos = match *rest {
        [b'Z'] => 0,
        [b'.', a, b, c, b'Z'] => number([a, b, c])? * 1_000_000,
        [b'.', a, b, c, d, e, f, b'Z'] => number([a, b, c, d, e, f])? * 1_000,
        [b'.', a, b, c, d, e, f, g, h, i, b'Z'] => number([a, b, c, d, e, f, g, h, i])?,
        _ => return None,
    };
    let time = date.and_hms_nano_opt(
        number([h1, h2])?,
        number([i1, i2])?,
        number([s1, s2])?,
        nanos,
    )?;
    Some(time.and_utc())
}

/// Of at most nine digits.
fn number<const N: usize>(digits: [u8; N]) -> Option<u32> {
    let mut number = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    Some(number)
}

#[cfg(test)]
mod tests;
