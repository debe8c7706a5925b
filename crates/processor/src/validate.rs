//! Which results are poison: what no transaction could ever take.

use chrono::TimeDelta;
use models::Time;
use models::probe::{Outcome, ProbeError, ProbeResult, probe_id};

/// Results from further ahead than this have no partition, and no honest clock.
const FURTHEST_AHEAD: TimeDelta = TimeDelta::days(1);
/// Older results are poison whatever the retention: hourly sums are not kept much longer.
const OLDEST: TimeDelta = TimeDelta::days(30);
/// A prober that is ahead or behind by more has its times corrected.
const SKEW: TimeDelta = TimeDelta::seconds(1);
/// A prober's name is for the operator's eyes: a host name and a few digits.
const MAX_PROBER_BYTES: usize = 200;
/// Hex digits of a SHA-256.
const FINGERPRINT_DIGITS: usize = 64;

/// Checks what a result says of itself; the reason is for the operator.
pub(crate) fn check(result: &ProbeResult, now: Time, retention: TimeDelta) -> Result<(), String> {
    let oldest = now - retention.min(OLDEST);
    let scheduled_at = result.scheduled_at;
    if scheduled_at < oldest || scheduled_at > now + FURTHEST_AHEAD {
        return Err(format!("scheduled_at {scheduled_at} is out of bounds"));
    }
    let id = probe_id(
        result.service_id,
        &result.region,
        result.kind,
        scheduled_at,
        result.config_version,
    );
    if id != result.probe_id {
        return Err(String::from("probe_id is not that of its fields"));
    }
    if !bus::route::valid_region(&result.region) {
        return Err(String::from("region is not a region's name"));
    }
    if result.prober.len() > MAX_PROBER_BYTES || result.prober.contains('\0') {
        return Err(String::from("prober is no name"));
    }
    check_outcome(result)?;
    check_numbers(result)
}

fn check_outcome(result: &ProbeResult) -> Result<(), String> {
    match (&result.error, result.outcome) {
        (Some(_), Outcome::Up) => return Err(String::from("an error, yet it is up")),
        (None, Outcome::Down | Outcome::Inconclusive) => {
            return Err(String::from("not up, and no error says why"));
        }
        _ => {}
    }
    if let Some(error) = &result.error
        && error.message.len() > ProbeError::MAX_MESSAGE
    {
        return Err(format!("a message of {} bytes", error.message.len()));
    }
    let Some(certificate) = &result.certificate else {
        return Ok(());
    };
    let digits = certificate.fingerprint_sha256.as_bytes();
    let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if digits.len() != FINGERPRINT_DIGITS || !digits.iter().all(is_hex) {
        return Err(String::from("fingerprint_sha256 is not a SHA-256 in hex"));
    }
    Ok(())
}

fn check_numbers(result: &ProbeResult) -> Result<(), String> {
    let phases = &result.phases;
    let times = [
        result.latency_us,
        phases.dns_us,
        phases.connect_us,
        phases.tls_us,
        phases.request_us,
        phases.first_byte_us,
        Some(phases.total_us),
    ];
    if times
        .into_iter()
        .flatten()
        .any(|us| i32::try_from(us).is_err())
    {
        return Err(String::from("a duration of more than half an hour"));
    }
    if result
        .status_code
        .is_some_and(|code| i16::try_from(code).is_err())
    {
        return Err(String::from("a status code that is none"));
    }
    Ok(())
}

/// Makes a valid result fit to be stored: a time that cannot be is corrected (counted in a
/// metric), and NULs, which the database does not take, are replaced.
pub(crate) fn mend(result: &mut ProbeResult, now: Time) {
    let earliest = result.scheduled_at - SKEW;
    let latest = (now + SKEW).max(earliest);
    let mended = result.checked_at.clamp(earliest, latest);
    if mended != result.checked_at {
        metrics::counter!("pulsemon_processor_clock_corrections_total").increment(1);
        result.checked_at = mended;
    }
    if let Some(error) = &mut result.error {
        without_nul(&mut error.message);
    }
    if let Some(facts) = &mut result.certificate {
        let texts = [&mut facts.issuer, &mut facts.subject, &mut facts.serial];
        for text in texts.into_iter().flatten().chain(&mut facts.sans) {
            without_nul(text);
        }
    }
}

fn without_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

#[cfg(test)]
mod tests;
