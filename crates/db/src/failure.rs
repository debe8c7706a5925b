//! What went wrong, in the classes that decide what a process does next.

use diesel::result::DatabaseErrorKind;

use crate::QueryError;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection within the pool's bounds: the server is away, full, or refuses us.
    #[error("no database connection: {0}")]
    Connect(String),
    /// The TLS settings cannot be used.
    #[error("database TLS settings: {0}")]
    Tls(String),
    /// A statement failed.
    #[error("database: {0}")]
    Query(#[from] QueryError),
    /// Another process holds the lock of a maintenance task for longer than we wait.
    #[error("{0} is being done by another process")]
    Busy(&'static str),
    /// A migration failed.
    #[error("migration: {0}")]
    Migration(String),
}

impl Error {
    /// The class of this error.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Connect(_) => Failure::Unavailable,
            Self::Busy(_) => Failure::Conflict,
            Self::Query(error) => Failure::of(error),
            Self::Tls(_) | Self::Migration(_) => Failure::Other,
        }
    }
}

/// The classes of failure: hold and try again, run again, tell the user, or give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server is away, shutting down, full or too slow: hold the work, back off, retry.
    Unavailable,
    /// Two transactions met; the same one run again will pass.
    Conflict,
    /// A constraint of the schema refused the row.
    Constraint {
        /// The constraint's name, empty if the server did not give one.
        name: String,
    },
    /// A value was refused or could not be read (SQLSTATE class 22): this row will never pass.
    Data,
    /// Anything else: a defect of the statement, the schema or the server. Whether it is the row's
    /// fault is not known.
    Other,
}

// Diesel keeps the SQLSTATE of a few errors only; for the rest the message is what is left.
// Connections set `lc_messages` to C where they may (see pool.rs), so these are the texts.
const UNAVAILABLE: [&str; 14] = [
    "terminating connection",                       // 57P01, 57P02, 25P03
    "the database system is",                       // 57P03
    "canceling statement due to statement timeout", // 57014
    "sorry, too many clients",                      // 53300
    "remaining connection slots",                   // 53300
    "too many connections",                         // 53300
    "could not extend file",                        // 53100
    "could not write to file",                      // 53100
    "No space left on device",                      // 53100
    "out of memory",                                // 53200
    "out of shared memory",                         // 53200
    "canceling statement due to user request",      // 57014, an operator's
    "permission denied for",                        // 42501: a right to be granted, no row's fault
    "connection closed",                            // 08*
];
const DATA: [&str; 10] = [
    "out of range",                        // 22003, 22008
    "numeric field overflow",              // 22003
    "division by zero",                    // 22012
    "value too long for type",             // 22001
    "invalid input syntax for",            // 22P02
    "invalid input value for enum",        // 22P02
    "invalid byte sequence for encoding",  // 22021
    "unsupported Unicode escape sequence", // 22P05
    "incorrect binary data format",        // 22P03
    "cannot be converted to text",         // 22P05
];
const CONFLICT: [&str; 5] = [
    "deadlock detected",                       // 40P01
    "could not serialize access",              // 40001
    "canceling statement due to lock timeout", // 55P03
    "could not obtain lock",                   // 55P03
    "tuple concurrently",                      // XX000, from concurrent DDL
];

impl Failure {
    /// Classifies one statement's error.
    #[must_use]
    pub fn of(error: &QueryError) -> Self {
        let QueryError::DatabaseError(kind, information) = error else {
            return match error {
                QueryError::BrokenTransactionManager => Self::Unavailable,
                QueryError::DeserializationError(_) | QueryError::SerializationError(_) => {
                    Self::Data
                }
                QueryError::RollbackErrorOnCommit {
                    rollback_error,
                    commit_error,
                } => match Self::of(rollback_error) {
                    Self::Other => Self::of(commit_error),
                    failure => failure,
                },
                _ => Self::Other,
            };
        };
        match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ExclusionViolation
            | DatabaseErrorKind::RestrictViolation => Self::Constraint {
                name: information.constraint_name().unwrap_or_default().to_owned(),
            },
            DatabaseErrorKind::SerializationFailure => Self::Conflict,
            DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ClosedConnection
            // A fail-over is under way: this server is not the writable one.
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable,
            _ => Self::of_message(information.message()),
        }
    }

    fn of_message(message: &str) -> Self {
        if CONFLICT.iter().any(|known| message.contains(known)) {
            Self::Conflict
        } else if UNAVAILABLE.iter().any(|known| message.contains(known)) {
            Self::Unavailable
        } else if DATA.iter().any(|known| message.contains(known)) {
            Self::Data
        } else {
            Self::Other
        }
    }

    /// Whether the constraint `wanted` refused the row.
    #[must_use]
    pub fn is_constraint(&self, wanted: &str) -> bool {
        matches!(self, Self::Constraint { name } if name == wanted)
    }
}
