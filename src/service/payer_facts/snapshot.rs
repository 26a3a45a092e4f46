//! What the payer held, as it is kept beside a decision that was made with it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::service::ServiceError;
use crate::store::{
    Authorization, AuthorizationRow, BilledClaim, CaseId, ContentDigest, DirectoryEntry, Enrolment,
    PayerFacts, PolicyEdition, Snapshot,
};
use crate::terms::{Day, Npi, When};

/// What is kept; the names are a contract with rows that are on file.
#[derive(Serialize, Deserialize)]
struct Kept {
    member_id: String,
    has_roster: bool,
    is_cut: bool,
    authorizations: Vec<KeptAuthorization>,
    enrolments: Vec<KeptEnrolment>,
    directory: Vec<KeptEntry>,
    claims: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct KeptAuthorization {
    number: String,
    given_on: String,
    valid_from: String,
    valid_to: String,
    case_id: String,
    #[serde(default)]
    sequence: u32,
    product_key: String,
    policy: Option<(String, String)>,
    client: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct KeptEnrolment {
    birth_date: Option<String>,
    line: Option<String>,
    valid_from: Option<String>,
    valid_to: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptEntry {
    npi: String,
    name: Option<String>,
    system: String,
    code: String,
    valid_from: Option<String>,
    valid_to: Option<String>,
}

/// What was held of a member; `None`: nothing at all.
pub(super) fn snapshot(
    member_id: &str,
    facts: &PayerFacts,
) -> Result<Option<Snapshot>, ServiceError> {
    let is_empty = !facts.has_roster
        && !facts.is_cut
        && facts.authorizations.is_empty()
        && facts.enrolments.is_empty()
        && facts.directory.is_empty()
        && facts.claims.is_empty();
    if is_empty {
        return Ok(None);
    }
    let day = |day: Option<Day>| day.map(|day| day.to_string());
    let kept = Kept {
        member_id: member_id.to_owned(),
        has_roster: facts.has_roster,
        is_cut: facts.is_cut,
        authorizations: facts.authorizations.iter().map(KeptAuthorization::of).collect(),
        enrolments: facts
            .enrolments
            .iter()
            .map(|row| KeptEnrolment {
                birth_date: row.birth_date.map(|date| date.to_string()),
                line: row.line.clone(),
                valid_from: day(row.valid_from),
                valid_to: day(row.valid_to),
            })
            .collect(),
        directory: facts
            .directory
            .iter()
            .map(|row| KeptEntry {
                npi: row.npi.to_string(),
                name: row.name.clone(),
                system: row.system.clone(),
                code: row.code.clone(),
                valid_from: day(row.valid_from),
                valid_to: day(row.valid_to),
            })
            .collect(),
        claims: facts.claims.iter().map(|it| (it.name.clone(), it.resource.clone())).collect(),
    };
    let text = serde_json::to_string(&kept)
        .map_err(|_| ServiceError::Internal("a snapshot cannot be written"))?;
    let digest = hexadecimal(&Sha256::digest(text.as_bytes()));
    Ok(Some(Snapshot { digest, text }))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The member and what was held of them.
pub(super) fn read(snapshot: &Snapshot) -> Option<(String, PayerFacts)> {
    let kept: Kept = serde_json::from_str(&snapshot.text).ok()?;
    let rows = kept.authorizations.into_iter().map(KeptAuthorization::read);
    let facts = PayerFacts {
        authorizations: rows.collect::<Option<_>>()?,
        has_roster: kept.has_roster,
        is_cut: kept.is_cut,
        enrolments: kept.enrolments.into_iter().map(KeptEnrolment::read).collect::<Option<_>>()?,
        directory: kept.directory.into_iter().map(KeptEntry::read).collect::<Option<_>>()?,
        claims: kept
            .claims
            .into_iter()
            .map(|(name, resource)| BilledClaim { name, resource })
            .collect(),
        ..PayerFacts::default()
    };
    Some((kept.member_id, facts))
}

/// A day that may not be there; an error: it is there and no day.
fn maybe(text: Option<String>) -> Result<Option<Day>, ()> {
    text.map(|text| text.parse().map_err(|_| ())).transpose()
}

impl KeptAuthorization {
    fn of(row: &AuthorizationRow) -> KeptAuthorization {
        let Authorization { number, given_on, valid_from, valid_to } = &row.authorization;
        KeptAuthorization {
            number: number.clone(),
            given_on: given_on.to_string(),
            valid_from: valid_from.to_string(),
            valid_to: valid_to.to_string(),
            case_id: row.case_id.to_string(),
            sequence: row.sequence,
            product_key: row.product_key.clone(),
            policy: row.policy.as_ref().map(|it| (it.policy_id.clone(), it.edition.to_string())),
            client: row.client.clone(),
            digest: row.digest.to_string(),
        }
    }

    fn read(self) -> Option<AuthorizationRow> {
        let policy = match self.policy {
            None => None,
            Some((policy_id, edition)) => {
                Some(PolicyEdition { policy_id, edition: edition.parse().ok()? })
            }
        };
        Some(AuthorizationRow {
            authorization: Authorization {
                number: self.number,
                given_on: self.given_on.parse().ok()?,
                valid_from: self.valid_from.parse().ok()?,
                valid_to: self.valid_to.parse().ok()?,
            },
            case_id: CaseId::parse(&self.case_id).ok()?,
            sequence: self.sequence,
            product_key: self.product_key,
            policy,
            trace: String::new(),
            client: self.client,
            digest: ContentDigest::parse(&self.digest).ok()?,
        })
    }
}

impl KeptEnrolment {
    fn read(self) -> Option<Enrolment> {
        let birth_date = match self.birth_date {
            None => None,
            Some(text) => Some(When::parse(&text).ok()?),
        };
        let (valid_from, valid_to) = (maybe(self.valid_from).ok()?, maybe(self.valid_to).ok()?);
        Some(Enrolment { birth_date, line: self.line, valid_from, valid_to })
    }
}

impl KeptEntry {
    fn read(self) -> Option<DirectoryEntry> {
        Some(DirectoryEntry {
            npi: Npi::parse(&self.npi).ok()?,
            name: self.name,
            system: self.system,
            code: self.code,
            valid_from: maybe(self.valid_from).ok()?,
            valid_to: maybe(self.valid_to).ok()?,
        })
    }
}
