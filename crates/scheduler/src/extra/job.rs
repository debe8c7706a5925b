//! What becomes of a wanted probe: a job, or nothing any more. Decides, and does nothing.

use chrono::TimeDelta;
use db::extra_probes::DueProbe;
use models::Time;
use models::message::ProbeJob;
use models::probe::{ProbeKind, probe_id};

/// How long a person (`manual`) or a doubt (`confirm`) waits for an answer.
const URGENT: TimeDelta = TimeDelta::seconds(15);
/// The least that the others wait; else half an interval.
const PATIENT: TimeDelta = TimeDelta::seconds(60);

/// Delete the row unsent, for this reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unwanted(pub(super) &'static str);

/// The job for `row`, dispatched at `now`.
pub(super) fn job(row: &DueProbe, now: Time, regions: &[String]) -> Result<ProbeJob, Unwanted> {
    const UNREADABLE: Unwanted = Unwanted("unreadable");
    let kind = ProbeKind::from_name(&row.kind).ok_or(UNREADABLE)?;
    if !row.is_active {
        return Err(Unwanted("paused"));
    }
    if row.config_version != row.current_version {
        return Err(Unwanted("version"));
    }
    if !regions.contains(&row.region) {
        return Err(Unwanted("unknown_region"));
    }
    let patience = patience(kind, row.interval_ms);
    if row.scheduled_at + patience <= now {
        return Err(Unwanted("stale"));
    }
    let answers = row.answers.clone().map(serde_json::from_value);
    let service_id = row.service_id.into();
    Ok(ProbeJob {
        probe_id: probe_id(
            service_id,
            &row.region,
            kind,
            row.scheduled_at,
            row.config_version,
        ),
        service_id,
        user_id: row.user_id.into(),
        kind,
        region: row.region.clone(),
        scheduled_at: row.scheduled_at,
        not_after: now + patience,
        config_version: row.config_version,
        url: row.url.clone(),
        timeout_ms: row.timeout_ms.try_into().map_err(|_negative| UNREADABLE)?,
        expected_status: row
            .expected_status
            .try_into()
            .map_err(|_negative| UNREADABLE)?,
        follow_redirects: row.follow_redirects,
        avoid_prober: row.avoid_prober.clone(),
        answers: answers.transpose().map_err(|_malformed| UNREADABLE)?,
        signature: None, // when its batch is filled
    })
}

/// How long after its dispatch a probe is still of use.
fn patience(kind: ProbeKind, interval_ms: i32) -> TimeDelta {
    match kind {
        ProbeKind::Manual | ProbeKind::Confirm => URGENT,
        ProbeKind::First | ProbeKind::Catchup | ProbeKind::Slot => {
            PATIENT.max(TimeDelta::milliseconds(i64::from(interval_ms) / 2))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use models::probe::Answers;
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Time {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn row(kind: &str) -> DueProbe {
        DueProbe {
            service_id: uuid::Uuid::from_u128(7),
            region: "default".into(),
            kind: kind.into(),
            scheduled_at: at(0),
            config_version: 3,
            avoid_prober: Some("prober-1".into()),
            answers: Some(json!({"kind": "slot", "scheduled_at": "2026-01-31T12:00:01.500Z"})),
            user_id: uuid::Uuid::from_u128(1),
            url: "http://a.test/".into(),
            interval_ms: 3_600_000,
            timeout_ms: 10_000,
            expected_status: 204,
            follow_redirects: true,
            is_active: true,
            current_version: 3,
        }
    }

    fn decide(row: &DueProbe, now: Time) -> Result<ProbeJob, &'static str> {
        job(row, now, &["default".to_owned()]).map_err(|unwanted| unwanted.0)
    }

    #[test]
    fn a_job_carries_what_the_row_and_the_service_say() {
        let row = row("confirm");
        let job = decide(&row, at(1)).unwrap();
        assert_eq!(job.scheduled_at, at(0));
        assert_eq!(job.expected_status, 204);
        assert_eq!(job.avoid_prober.as_deref(), Some("prober-1"));
        let expected = Answers {
            kind: ProbeKind::Slot,
            scheduled_at: "2026-01-31T12:00:01.500Z".parse().unwrap(),
        };
        assert_eq!(job.answers, Some(expected));
    }

    #[test]
    fn urgent_kinds_live_fifteen_seconds_and_the_others_half_an_interval() {
        for (kind, seconds) in [
            ("manual", 15),
            ("confirm", 15),
            ("first", 1_800),
            ("catchup", 1_800),
        ] {
            let job = decide(&row(kind), at(1)).unwrap();
            assert_eq!(job.not_after, at(1 + seconds), "{kind}");
            assert!(decide(&row(kind), at(seconds - 1)).is_ok(), "{kind}");
            assert_eq!(decide(&row(kind), at(seconds)), Err("stale"), "{kind}");
        }
        let short = DueProbe {
            interval_ms: 10_000,
            ..row("first")
        };
        assert_eq!(decide(&short, at(0)).unwrap().not_after, at(60));
    }

    #[test]
    fn what_is_no_longer_wanted_is_deleted_unsent() {
        let cases = [
            (
                DueProbe {
                    is_active: false,
                    ..row("first")
                },
                "paused",
            ),
            (
                DueProbe {
                    current_version: 4,
                    ..row("first")
                },
                "version",
            ),
            (
                DueProbe {
                    region: "mars".into(),
                    ..row("first")
                },
                "unknown_region",
            ),
            (
                DueProbe {
                    answers: Some(json!("?")),
                    ..row("confirm")
                },
                "unreadable",
            ),
        ];
        for (row, reason) in cases {
            assert_eq!(decide(&row, at(0)), Err(reason));
        }
    }
}
