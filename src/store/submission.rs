//! Submissions: what a client sent, and how a repeat is known.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::store::{AnswerRecord, ApprovalCount, CaseId, Inputs};

/// The SHA-256 digest of a body, in lower-case hexadecimal. The caller computes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentDigest(Box<str>);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content digest has 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl ContentDigest {
    /// Reads a digest.
    ///
    /// # Errors
    /// Not 64 digits, or others than `0` to `9` and `a` to `f`.
    pub fn parse(text: &str) -> Result<ContentDigest, DigestError> {
        let fits =
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(ContentDigest(text.into())) } else { Err(DigestError) }
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes a submission a repeat of an earlier one: the same client and the same content,
/// within a window (ruling 31).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionKey {
    /// Our name of the client that sent it.
    pub client: String,
    /// The digest of its body.
    pub digest: ContentDigest,
    /// When it was received.
    pub received_at: Timestamp,
    /// How long after an earlier one it is still a repeat; zero: it never is.
    pub repeat_window: Duration,
}

/// A submission with its case and its first answer: what is stored together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionRecord {
    /// Client, content and time.
    pub key: SubmissionKey,
    /// The Bundle's identifier, as `system|value`.
    pub bundle_identifier: Option<String>,
    /// The Claim's identifier, as `system|value`.
    pub claim_identifier: Option<String>,
    /// The whole body, as received.
    pub body: String,
    /// The id of the case that it opens.
    pub case_id: CaseId,
    /// The member's id with the payer.
    pub member_id: String,
    /// When the plan has to have decided; `None` where no clock runs.
    pub due_at: Option<Timestamp>,
    /// The member's authorizations that the answer rests on; `None` where it rests on none.
    pub judged_after: Option<ApprovalCount>,
    /// What else it was judged with; `None` where nothing was judged.
    pub inputs: Option<Inputs>,
    /// The first answer. Its guide is the one that the submission was written for.
    pub answer: AnswerRecord,
}

/// A submission to a case that is there: a change of the request, or more evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherSubmission {
    /// Client, content and time.
    pub key: SubmissionKey,
    /// The Bundle's identifier, as `system|value`.
    pub bundle_identifier: Option<String>,
    /// The Claim's identifier, as `system|value`.
    pub claim_identifier: Option<String>,
    /// The whole body, as received.
    pub body: String,
    /// The member's authorizations that the answer rests on; `None` where it rests on none.
    pub judged_after: Option<ApprovalCount>,
    /// What else it was judged with; `None` where nothing was judged.
    pub inputs: Option<Inputs>,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored.
    Stored,
    /// It repeats one that is there, whose case has this answer. Nothing was written.
    AlreadyThere(StoredAnswer),
    /// The member was given an authorization since the judging. Nothing was written.
    JudgedTooEarly,
}

/// The current answer of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The case.
    pub case_id: CaseId,
    /// Its number, from 1. Above 1 the case has moved on since the first answer.
    pub number: u32,
    /// The guide's version in which `response` is written.
    pub guide: String,
    /// The response body, as sent then.
    pub response: String,
    /// When it was given.
    pub given_at: Timestamp,
}

/// A submission as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedSubmission {
    /// Our name of the client that sent it.
    pub client: String,
    /// The digest of its body.
    pub digest: ContentDigest,
    /// When it was received.
    pub received_at: Timestamp,
    /// The guide's version that it was written for.
    pub guide: String,
    /// The Bundle's identifier, as `system|value`.
    pub bundle_identifier: Option<String>,
    /// The Claim's identifier, as `system|value`.
    pub claim_identifier: Option<String>,
    /// The whole body.
    pub body: String,
}

/// What makes other submissions look like this one: one of the identifiers is the same, but the
/// content is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Our name of the client that sent it.
    pub client: String,
    /// The digest of its body.
    pub digest: ContentDigest,
    /// The Bundle's identifier, as `system|value`.
    pub bundle_identifier: Option<String>,
    /// The Claim's identifier, as `system|value`.
    pub claim_identifier: Option<String>,
}

/// A request in the store: what it is, and our id of it. Submissions come before hook calls, and
/// each in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestPlace {
    /// A submission, by the number of its row.
    Submission(i64),
    /// A hook call, by the number of its row.
    HookCall(i64),
}

/// A submission or a hook call, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// Where it stands.
    pub place: RequestPlace,
    /// The case that it opened; a hook call opens none.
    pub case_id: Option<CaseId>,
    /// When it was received; a hook call: when it was answered.
    pub received_at: Timestamp,
    /// The whole body; a hook call's without access tokens.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_lower_case_hexadecimal_digits() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(ContentDigest::parse(&digits).unwrap().as_str(), digits);
        for text in ["", &digits[1..], &digits.to_uppercase(), &digits.replace('a', "g")] {
            assert_eq!(ContentDigest::parse(text), Err(DigestError), "{text}");
        }
    }
}
