//! Times, durations and names as people read them.

use chrono::TimeDelta;
use models::Time;

/// Text of a tenant or a target made fit for a line of text: control characters and line breaks
/// become spaces, characters that turn the direction of what follows go.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !turns_direction(*c))
        .map(|c| if breaks_line(c) { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Clean, and at most `max` characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= max {
        return text;
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A subject: one line, in which nothing reads as an encoded word (RFC 2047), or a name could show in a mail program as
/// whatever its owner encoded.
pub(super) fn subject(text: &str) -> String {
    one_line(&clean(text).replace("=?", "= ?"), super::MAX_SUBJECT)
}

/// A service's name for subjects and headlines.
pub(super) fn name(name: &str) -> String {
    one_line(name, super::MAX_NAME)
}

/// `2026-01-31 12:00:00 UTC`.
pub(super) fn moment(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `Saturday, 31 January 2026`.
pub(super) fn day(at: Time) -> String {
    at.format("%A, %-d %B %Y").to_string()
}

/// `45 s`, `12 min 5 s`, `1 h 3 min`, `2 d 4 h`: the two largest units that are not zero.
pub(super) fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let text: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if text.is_empty() {
        "less than a second".to_owned()
    } else {
        text.join(" ")
    }
}

/// Hundredths of a percent: `9990` is `99.9 %`.
pub(super) fn percent(hundredths: u16) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match rest {
        0 => format!("{whole} %"),
        tenths if tenths % 10 == 0 => format!("{whole}.{} %", tenths / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// Microseconds as milliseconds with one decimal: `84.2 ms`.
pub(super) fn millis(us: u32) -> String {
    format!("{:.1} ms", f64::from(us) / 1000.0)
}

/// `1 check`, `3 checks`.
pub(super) fn checks(count: u64) -> String {
    if count == 1 {
        "1 check".to_owned()
    } else {
        format!("{count} checks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_its_two_largest_units() {
        let told = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!(told(0), "less than a second");
        assert_eq!(told(-5), "less than a second");
        assert_eq!(told(45), "45 s");
        assert_eq!(told(725), "12 min 5 s");
        assert_eq!(told(3600), "1 h");
        assert_eq!(told(3_785), "1 h 3 min");
        assert_eq!(told(187_200), "2 d 4 h");
    }

    #[test]
    fn a_percentage_has_no_more_digits_than_it_needs() {
        assert_eq!(percent(10_000), "100 %");
        assert_eq!(percent(9990), "99.9 %");
        assert_eq!(percent(9987), "99.87 %");
        assert_eq!(percent(9905), "99.05 %");
    }

    #[test]
    fn a_subject_is_one_short_line_whatever_it_is_made_of() {
        assert_eq!(
            subject("up\r\nBcc: x@example.com"),
            "up  Bcc: x@example.com"
        );
        // Cleaned first: what goes could have hidden what is looked for.
        assert_eq!(subject("=\u{202e}?utf-8?q?x?="), "= ?utf-8?q?x?=");
        let long = subject(&"=?".repeat(super::super::MAX_SUBJECT));
        assert_eq!(long.chars().count(), super::super::MAX_SUBJECT);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn nothing_in_a_name_can_break_its_line_or_turn_it_around() {
        assert_eq!(clean("a\r\nBcc: x@y.z\0"), "a  Bcc: x@y.z");
        assert_eq!(clean("\u{202e}txt.exe\u{2028}b"), "txt.exe b");
        assert_eq!(clean("שלום"), "שלום");
        assert_eq!(one_line(&"é".repeat(300), 200).chars().count(), 200);
    }
}
