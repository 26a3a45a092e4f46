//! Why something could not be had from an EHR.

/// Why a query failed. The words are for answers and operators, and hold no value of anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The deadline came first.
    #[error("it did not answer in time")]
    TooSlow,
    /// The token had expired before.
    #[error("the access token had expired")]
    Expired,
    /// The token is no bearer token, or cannot be sent.
    #[error("the access token cannot be used")]
    Token,
    /// Too many calls of this client wait for the system already.
    #[error("too many calls wait for it already")]
    Crowded,
    /// No connection was made.
    #[error("it cannot be reached")]
    Unreachable,
    /// The connection broke off.
    #[error("its answer broke off")]
    BrokenOff,
    /// It answered with another status than one of success.
    #[error("it answered {0}")]
    Status(u16),
    /// Its answer is no JSON, or has a member twice.
    #[error("its answer is not readable JSON")]
    NotJson,
    /// Its answer is another resource than the one that was asked for.
    #[error("its answer is not what was asked for")]
    NotAsked,
    /// It answered that the query failed, with or without a part of the answer.
    #[error("it reported an error")]
    SaidError,
    /// Longer than is read.
    #[error("its answer is too long")]
    TooLong,
    /// More pages than are read.
    #[error("its answer has too many pages")]
    TooManyPages,
    /// A page leads to another server.
    #[error("its answer goes on at another server")]
    Elsewhere,
    /// It goes on, and there is nobody who may be asked for the rest.
    #[error("its answer goes on, and the rest did not come with the call")]
    Rest,
    /// More queries than one call may make.
    #[error("too much would have to be asked")]
    TooManyQueries,
    /// The id cannot stand in a URL.
    #[error("it cannot be asked for by its id")]
    Id,
}

impl Failure {
    /// Whether something went wrong, so that nobody knows what is there (crd.md 3.9), rather than
    /// that there is nothing or that it is not offered.
    #[must_use]
    pub fn is_technical(self) -> bool {
        match self {
            Failure::TooSlow
            | Failure::Expired
            | Failure::Token
            | Failure::Crowded
            | Failure::Unreachable
            | Failure::BrokenOff
            | Failure::NotJson
            | Failure::NotAsked
            | Failure::SaidError
            | Failure::TooLong
            | Failure::TooManyPages
            | Failure::Elsewhere
            | Failure::Rest
            | Failure::TooManyQueries => true,
            // Not there, or not a thing that this server can be asked.
            Failure::Status(status) => !matches!(status, 400 | 404 | 405 | 410 | 501),
            Failure::Id => false,
        }
    }
}
