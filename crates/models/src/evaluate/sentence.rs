//! The one sentence that a tenant reads in a list of alerts.

use chrono::TimeDelta;

use crate::alert::FailedCheck;
use crate::probe::ErrorKind;

pub(super) fn failure_streak(name: &str, failures: u32, last: &FailedCheck) -> String {
    let checks = match failures {
        1 => String::from("a check failed"),
        many => format!("{many} checks in a row failed"),
    };
    format!("{name} is down: {checks} ({})", last.message)
}

pub(super) fn recovery(name: &str, down_for: TimeDelta) -> String {
    format!("{name} is up again after {}", duration(down_for))
}

pub(super) fn sla_breach(name: &str, sla: u16, target: u16, days: u16) -> String {
    let percent = |hundredths: u16| format!("{}.{:02} %", hundredths / 100, hundredths % 100);
    format!(
        "{name} is below its SLA target: {} of the last {days} days, target {}",
        percent(sla),
        percent(target)
    )
}

pub(super) fn ssl_expiry(name: &str, days_left: Option<i64>, errors: &[ErrorKind]) -> String {
    let fault = errors.first().copied();
    match (fault, days_left) {
        (Some(ErrorKind::CertExpired), Some(1..)) => {
            format!("A certificate of the chain of {name} has expired")
        }
        (Some(ErrorKind::CertExpired), _) => format!("The certificate of {name} has expired"),
        (Some(fault), _) => format!("The certificate of {name} is not valid: {}", words(fault)),
        (None, Some(i64::MIN..0)) => format!("The certificate of {name} has expired"),
        (None, Some(0)) => format!("The certificate of {name} expires within a day"),
        (None, Some(1)) => format!("The certificate of {name} expires in 1 day"),
        (None, Some(days)) => format!("The certificate of {name} expires in {days} days"),
        (None, None) => format!("The certificate of {name} needs attention"),
    }
}

fn words(fault: ErrorKind) -> String {
    let name = fault.as_str();
    name.strip_prefix("cert_").unwrap_or(name).replace('_', " ")
}

/// `45 s`, `5 min 3 s`, `2 h 10 min`, `3 d 4 h`: the two largest units.
fn duration(length: TimeDelta) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = length.num_seconds().max(0);
    let mut parts = Vec::new();
    for (seconds, unit) in UNITS {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        return String::from("0 s");
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        let of = |seconds| duration(TimeDelta::seconds(seconds));
        assert_eq!(of(0), "0 s");
        assert_eq!(of(45), "45 s");
        assert_eq!(of(303), "5 min 3 s");
        assert_eq!(of(7_800), "2 h 10 min");
        assert_eq!(of(3_605), "1 h");
        assert_eq!(of(3 * 86_400 + 4 * 3_600 + 59), "3 d 4 h");
    }

    #[test]
    fn a_certificate_is_told_by_its_fault_first() {
        let of = |days, errors: &[ErrorKind]| ssl_expiry("shop", days, errors);
        assert_eq!(
            of(Some(12), &[ErrorKind::CertNameMismatch]),
            "The certificate of shop is not valid: name mismatch"
        );
        assert_eq!(
            of(Some(12), &[]),
            "The certificate of shop expires in 12 days"
        );
        assert_eq!(
            of(Some(0), &[]),
            "The certificate of shop expires within a day"
        );
        assert_eq!(
            of(Some(-1), &[ErrorKind::CertExpired]),
            "The certificate of shop has expired"
        );
        assert_eq!(
            of(Some(89), &[ErrorKind::CertExpired]),
            "A certificate of the chain of shop has expired"
        );
        assert_eq!(of(Some(-1), &[]), "The certificate of shop has expired");
    }
}
