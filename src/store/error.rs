//! How the store fails.

/// The inner cause of a failure: for the log, never for the caller.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what was asked.
///
/// The message says what was attempted; the source says what the database said.
/// Neither holds a value of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file or its folder cannot be opened or created.
    #[error("could not open the store at `{path}`")]
    Open {
        /// The database file, as the operator's settings give it.
        path: Box<str>,
        /// What the system said.
        source: Cause,
    },
    /// The file was written by a newer release: this one would not understand it.
    #[error(
        "the store has schema version {found}, this release knows versions up to {known}: \
         start the newer release, or restore a backup"
    )]
    NewerSchema {
        /// The newest version in the file.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// The file was last written by an older release, and it is only to be read.
    #[error(
        "the store has schema version {found}, this release reads version {known}: \
         start the server or import a file once, which brings it up to date"
    )]
    OlderSchema {
        /// The newest version in the file.
        found: i64,
        /// The version that this release reads.
        known: i64,
    },
    /// The schema could not be brought up to date. The file is as it was before the version that
    /// failed.
    #[error("could not bring the store's schema up to date")]
    Migrate {
        /// What the database said.
        source: Cause,
    },
    /// Others held the store for too long. Worth another try.
    #[error("could not {attempt}: the store is busy")]
    Busy {
        /// What was attempted.
        attempt: &'static str,
    },
    /// A rule of the schema forbids the record. Nothing was written.
    #[error("could not {attempt}: a rule of the schema forbids it")]
    Refused {
        /// What was attempted.
        attempt: &'static str,
        /// Which rule.
        source: Cause,
    },
    /// What is stored cannot be read as what it should be.
    #[error("could not {attempt}: a stored value is unreadable")]
    Unreadable {
        /// What was attempted.
        attempt: &'static str,
        /// Which column.
        source: Cause,
    },
    /// The store was closed.
    #[error("could not {attempt}: the store is closed")]
    Closed {
        /// What was attempted.
        attempt: &'static str,
    },
    /// Anything else: the disk is full, gone or damaged.
    #[error("could not {attempt}")]
    Failed {
        /// What was attempted.
        attempt: &'static str,
        /// What the database said.
        source: Cause,
    },
}

/// Why a step in a database failed, whichever database it is.
///
/// Made of what a client library says, by whoever knows which of its texts may hold a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Others held it for too long, or too many wait.
    #[error("the store is busy")]
    Busy,
    /// It was closed, or what worked on it is gone.
    #[error("the store is closed")]
    Closed,
    /// A rule of the schema forbids it.
    #[error("{0}")]
    Rule(Box<str>),
    /// A stored value is not what it should be.
    #[error("{0}")]
    Unreadable(Box<str>),
    /// Anything else.
    #[error("{0}")]
    Failed(Box<str>),
}

impl StoreError {
    /// Says what was attempted when the database failed.
    pub(super) fn attempting(attempt: &'static str, cause: Fault) -> StoreError {
        match cause {
            Fault::Busy => StoreError::Busy { attempt },
            Fault::Closed => StoreError::Closed { attempt },
            Fault::Rule(_) => StoreError::Refused { attempt, source: cause.into() },
            Fault::Unreadable(_) => StoreError::Unreadable { attempt, source: cause.into() },
            Fault::Failed(_) => StoreError::Failed { attempt, source: cause.into() },
        }
    }
}
