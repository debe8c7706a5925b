//! Times and durations as the contract writes them.

use chrono::SecondsFormat;
use models::Time;

/// RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:00.000Z`.
#[must_use]
pub(crate) fn time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Milliseconds with at most one decimal, rounded.
#[must_use]
pub(crate) fn ms(us: u32) -> f64 {
    f64::from(us / 100 + u32::from(us % 100 >= 50)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_decimal_and_times_three() {
        assert_eq!(ms(0), 0.0);
        assert_eq!(ms(49), 0.0);
        assert_eq!(ms(50), 0.1);
        assert_eq!(ms(12_345), 12.3);
        assert_eq!(ms(12_350), 12.4);
        assert_eq!(
            time("2026-01-31T12:00:00.1239Z".parse().unwrap()),
            "2026-01-31T12:00:00.123Z"
        );
    }
}
