//! What a probe is, and what it can find.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::certificate::CertificateFacts;
use crate::id::{ProbeId, ServiceId};
use crate::signature::Proof;
use crate::{Time, stamp};

/// Why a probe happens. The codes are stored: frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A slot of the schedule: the only kind that counts in sums and SLA.
    Slot,
    /// At once after create, resume or an edit that changes probing.
    First,
    /// Asked for by the tenant: shown, moves nothing.
    Manual,
    /// A second opinion on a failure: can only void it.
    Confirm,
    /// In place of a slot of a slow service that fell into an outage of ours.
    Catchup,
}

impl ProbeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Slot,
        Self::First,
        Self::Manual,
        Self::Confirm,
        Self::Catchup,
    ];

    /// What is stored.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Slot => 0,
            Self::First => 1,
            Self::Manual => 2,
            Self::Confirm => 3,
            Self::Catchup => 4,
        }
    }

    /// The kind with this stored code.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// As written in messages and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::First => "first",
            Self::Manual => "manual",
            Self::Confirm => "confirm",
            Self::Catchup => "catchup",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it counts in due, judged and SLA.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Slot)
    }

    /// Whether it moves status and streak.
    #[must_use]
    pub const fn moves_state(self) -> bool {
        matches!(self, Self::Slot | Self::First | Self::Catchup)
    }
}

/// What a probe concluded. The codes are stored: frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target answered as expected.
    Up,
    /// It did not.
    Down,
    /// The prober could not judge: moves no state, lowers coverage, not SLA.
    Inconclusive,
}

impl Outcome {
    /// What is stored.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Down => 0,
            Self::Up => 1,
            Self::Inconclusive => 2,
        }
    }

    /// The outcome with this stored code.
    #[must_use]
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Self::Down),
            1 => Some(Self::Up),
            2 => Some(Self::Inconclusive),
            _ => None,
        }
    }

    /// As written in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Which part of a probe failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum ErrorClass {
    Dns,
    Connect,
    Tls,
    Timeout,
    Protocol,
    Status,
    Redirect,
    Blocked,
    Internal,
}

impl ErrorClass {
    /// As written in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::Blocked => "blocked",
            Self::Internal => "internal",
        }
    }
}

macro_rules! error_kinds {
    ($($name:ident $text:literal $code:literal $class:ident,)*) => {
        /// What exactly was seen. Names are the API's, codes are stored: both frozen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the names are the documentation")]
        pub enum ErrorKind {
            $(#[serde(rename = $text)] $name,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What is stored.
            #[must_use]
            pub const fn code(self) -> i16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The kind with this stored code.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// As written in messages and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }

            /// Which part of the probe it belongs to.
            #[must_use]
            pub const fn class(self) -> ErrorClass {
                match self { $(Self::$name => ErrorClass::$class,)* }
            }
        }
    };
}

error_kinds! {
    DnsNxdomain "dns_nxdomain" 1 Dns,
    DnsServfail "dns_servfail" 2 Dns,
    DnsTimeout "dns_timeout" 3 Dns,
    DnsNoAddress "dns_no_address" 4 Dns,
    BlockedDestination "blocked_destination" 10 Blocked,
    ConnectRefused "connect_refused" 20 Connect,
    ConnectTimeout "connect_timeout" 21 Connect,
    ConnectReset "connect_reset" 22 Connect,
    ConnectUnreachable "connect_unreachable" 23 Connect,
    TlsHandshake "tls_handshake" 30 Tls,
    TlsProtocol "tls_protocol" 31 Tls,
    TlsNotTls "tls_not_tls" 32 Tls,
    TlsAlert "tls_alert" 33 Tls,
    CertExpired "cert_expired" 40 Tls,
    CertNotYetValid "cert_not_yet_valid" 41 Tls,
    CertNameMismatch "cert_name_mismatch" 42 Tls,
    CertUnknownIssuer "cert_unknown_issuer" 43 Tls,
    CertSelfSigned "cert_self_signed" 44 Tls,
    CertBadSignature "cert_bad_signature" 45 Tls,
    CertRevoked "cert_revoked" 46 Tls,
    CertUnsupported "cert_unsupported" 47 Tls,
    CertMalformed "cert_malformed" 48 Tls,
    HttpProtocol "http_protocol" 60 Protocol,
    HeadersTooLarge "headers_too_large" 61 Protocol,
    TimeoutConnect "timeout_connect" 70 Timeout,
    TimeoutTls "timeout_tls" 71 Timeout,
    TimeoutFirstByte "timeout_first_byte" 72 Timeout,
    TimeoutBody "timeout_body" 73 Timeout,
    RedirectBlocked "redirect_blocked" 80 Redirect,
    RedirectInvalid "redirect_invalid" 81 Redirect,
    TooManyRedirects "too_many_redirects" 82 Redirect,
    StatusMismatch "status_mismatch" 90 Status,
    BodyIncomplete "body_incomplete" 91 Protocol,
    Internal "internal" 99 Internal,
}

impl ErrorKind {
    /// A certificate fault: `cert_*`.
    #[must_use]
    pub fn is_certificate(self) -> bool {
        self.as_str().starts_with("cert_")
    }
}

/// Why a probe failed, or could not judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeError {
    /// What exactly was seen.
    pub kind: ErrorKind,
    /// A sentence that a person understands, at most [`Self::MAX_MESSAGE`] bytes, without addresses.
    pub message: String,
}

impl ProbeError {
    /// Bound of [`Self::message`], so that one result stays small.
    pub const MAX_MESSAGE: usize = 300;
}

/// How long each phase took, in microseconds, summed over all hops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Looking the name up; `None` for a literal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u32>,
    /// TCP handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u32>,
    /// TLS handshake; `None` over plain http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u32>,
    /// Writing the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_us: Option<u32>,
    /// From the request's end to the response's headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u32>,
    /// Everything, with what was read of the body.
    #[serde(default)]
    pub total_us: u32,
}

/// The failure that a `confirm` probe answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Kind of the failed probe.
    pub kind: ProbeKind,
    /// Its `scheduled_at`.
    #[serde(with = "stamp")]
    pub scheduled_at: Time,
}

/// The name space of [`probe_id`]; frozen.
const PROBE_NAMESPACE: Uuid = Uuid::from_u128(0x6b1f_3f52_93c4_5c0e_9d0a_70d1_5e5f_a001);

/// The id of a probe follows from what it probes, so that a probe dispatched twice has one id.
#[must_use]
pub fn probe_id(
    service: ServiceId,
    region: &str,
    kind: ProbeKind,
    scheduled_at: Time,
    config_version: i32,
) -> ProbeId {
    let name = format!(
        "{service}|{region}|{}|{}|{config_version}",
        kind.as_str(),
        scheduled_at.timestamp_millis()
    );
    ProbeId(Uuid::new_v5(&PROBE_NAMESPACE, name.as_bytes()))
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// See [`probe_id`].
    pub probe_id: ProbeId,
    /// The service probed.
    pub service_id: ServiceId,
    /// Why it was probed.
    pub kind: ProbeKind,
    /// From where.
    pub region: String,
    /// When it was due.
    #[serde(with = "stamp")]
    pub scheduled_at: Time,
    /// The configuration it was probed with.
    pub config_version: i32,
    /// When it was really started, by Postgres' clock as the prober knows it.
    #[serde(with = "stamp")]
    pub checked_at: Time,
    /// The verdict.
    pub outcome: Outcome,
    /// Status of the last response, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// From the start of DNS to the headers of the last hop, in microseconds; `None` if none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u32>,
    /// The phases reached.
    #[serde(default)]
    pub phases: Phases,
    /// Requests sent, 0 to 11.
    #[serde(default)]
    pub hops: u8,
    /// Present unless the outcome is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ProbeError>,
    /// Certificate of the service's own host, for https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// Which prober; for the operator only.
    pub prober: String,
    /// For `confirm`: the failure it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// For `confirm`: false if no other prober was there, so that the one to be avoided probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_prober: Option<bool>,
    /// Of which job it is; see [`crate::signature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}
