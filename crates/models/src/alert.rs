//! Alerts: what is worth telling, and what became of the telling.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::id::ServiceId;
use crate::probe::{ErrorKind, Phases};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As stored, and as written in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named!(
    /// What an alert is about.
    AlertKind {
        /// Enough failures in a row opened an incident.
        FailureStreak "failure_streak",
        /// The incident closed.
        Recovery "recovery",
        /// The SLA of the window fell below its target.
        SlaBreach "sla_breach",
        /// The certificate runs out soon, or is invalid.
        SslExpiry "ssl_expiry",
    }
);

named!(
    /// What became of a delivery; of an alert, the worst unfinished of its deliveries.
    DeliveryStatus {
        /// In the cooldown; judged again at its end.
        Held "held",
        /// Waits to be sent.
        Pending "pending",
        /// An alerter holds the lease.
        Sending "sending",
        /// The provider took it.
        Sent "sent",
        /// Given up.
        Failed "failed",
        /// No longer true when its turn came, or its service was paused or deleted.
        Suppressed "suppressed",
    }
);

named!(
    /// Why an incident ended.
    EndReason {
        /// A success newer than its newest failure.
        Recovered "recovered",
        /// The service was paused.
        Paused "paused",
        /// The service was deleted.
        Deleted "deleted",
    }
);

/// The alert's status as shown: the worst unfinished delivery (held, then pending or sending), else
/// `sent` if any was sent, else `failed`, else `suppressed`.
#[must_use]
pub fn alert_status(deliveries: &[DeliveryStatus]) -> DeliveryStatus {
    let has = |status| deliveries.contains(&status);
    if has(DeliveryStatus::Held) {
        DeliveryStatus::Held
    } else if has(DeliveryStatus::Pending) || has(DeliveryStatus::Sending) {
        DeliveryStatus::Pending
    } else if has(DeliveryStatus::Sent) {
        DeliveryStatus::Sent
    } else if has(DeliveryStatus::Failed) {
        DeliveryStatus::Failed
    } else {
        DeliveryStatus::Suppressed
    }
}

/// One failed check, as a mail tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// When it was due.
    pub at: Time,
    /// What exactly was seen.
    pub kind: ErrorKind,
    /// Its sentence.
    pub message: String,
    /// Status of the response, if one came.
    #[serde(default)]
    pub status_code: Option<u16>,
    /// The phases reached.
    #[serde(default)]
    pub phases: Phases,
}

/// The service as it was when the alert was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertService {
    /// Its id.
    pub id: ServiceId,
    /// Its name: any text a tenant may type.
    pub name: String,
    /// Its URL.
    pub url: String,
}

/// What a renderer needs, frozen when the alert was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertFacts {
    /// About which service.
    pub service: AlertService,
    /// What happened.
    #[serde(flatten)]
    pub event: AlertEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AlertEvent {
    /// An incident opened.
    FailureStreak {
        /// `scheduled_at` of the streak's first failure.
        started_at: Time,
        /// Failures so far.
        failed_checks: u32,
        /// The newest failure.
        last: FailedCheck,
        /// The newest success before, if any.
        #[serde(default)]
        last_success_at: Option<Time>,
    },
    /// It closed.
    Recovery {
        /// When the incident began.
        started_at: Time,
        /// `scheduled_at` of the success that ended it.
        ended_at: Time,
        /// How many checks failed.
        failed_checks: u32,
        /// The first failure's kind.
        cause: ErrorKind,
        /// Its sentence; empty in facts from before there was one.
        #[serde(default)]
        cause_message: String,
        /// Latency of the success, in microseconds.
        #[serde(default)]
        latency_us: Option<u32>,
    },
    /// The SLA fell below its target.
    SlaBreach {
        /// Hundredths of a percent, rounded down.
        sla: u16,
        /// Hundredths of a percent.
        target: u16,
        /// Slots judged in the window.
        judged: u64,
        /// Of them failed.
        failed: u64,
        /// Length of the window.
        window_days: u16,
    },
    /// The certificate needs a person.
    SslExpiry {
        /// SHA-256, in hex.
        fingerprint: String,
        /// Last moment of validity, if it could be read.
        #[serde(default)]
        not_after: Option<Time>,
        /// Whole days left when raised, may be negative.
        #[serde(default)]
        days_remaining: Option<i64>,
        /// Issuer.
        #[serde(default)]
        issuer: Option<String>,
        /// Subject.
        #[serde(default)]
        subject: Option<String>,
        /// Faults, the first one first; empty if it only runs out.
        #[serde(default)]
        errors: Vec<ErrorKind>,
    },
}
