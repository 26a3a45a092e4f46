//! What is said of one order: the coverage-information extension (crd.md 3.4).
//!
//! The guide's invariants are shapes here: `conditional` comes with what is still needed
//! (crd-ci-q3), a number comes with `satisfied` and only there (q5), `not-covered` has no
//! `pa-needed` of its own (q2), a form comes with `doc-needed` (q1), and whatever needs a reason
//! has one (q6, q8, q9), in words (q7).

use serde_json::{Value, json};

use crate::ig::CrdVersion;
use crate::ig::crd::{COVERAGE_INFORMATION, TEMP};
use crate::render::words;
use crate::terms::{Coding, Day};

/// One repetition of the extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageInformation {
    /// What is covered, and what is asked.
    pub coverage: Coverage,
    /// Further reasons, beside those that a part of the answer brings.
    pub reasons: Vec<Reason>,
    /// The billing codes under which this holds; empty: whatever is billed.
    pub billing: Vec<Coding>,
    /// What else is to be known; left out where the version has no code for it.
    pub details: Vec<Detail>,
    /// Another order on which the answer depends, `Type/id`.
    pub depends_on: Option<String>,
    /// Whom to ask about this very case.
    pub contact: Option<Contact>,
    /// The last day on which this holds, if that is known; 2.0 cannot say it.
    pub until: Option<Day>,
    /// The day of the assertion.
    pub date: Day,
    /// The trace id, which becomes the context of a later form and claim.
    pub assertion_id: String,
}

/// Whether the order is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The coverage is not in force, or excludes the benefit (rulings 26); never a criterion.
    NotCovered {
        /// Why.
        why: Reason,
    },
    /// It is.
    Covered {
        /// Whether authorization is needed.
        pa: PaNeeded,
        /// What has to be filled in or sent.
        documents: Option<Documents>,
    },
    /// It cannot be told, for a reason that is not the order's; 2.0 says that it depends.
    Indeterminate {
        /// Why (crd-ci-q9).
        why: Reason,
    },
    /// It depends on something that a later step of the work will bring.
    Conditional {
        /// On what.
        info: OneOrMore<InfoNeeded>,
        /// Why.
        why: Reason,
        /// Whether authorization is needed; `None`: that depends on the same.
        pa: Option<PaNeeded>,
        /// What has to be filled in or sent.
        documents: Option<Documents>,
    },
}

/// A list that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T> {
    /// The first.
    pub first: T,
    /// The others.
    pub more: Vec<T>,
}

impl<T> OneOrMore<T> {
    /// A list of one.
    #[must_use]
    pub fn one(first: T) -> OneOrMore<T> {
        OneOrMore { first, more: Vec::new() }
    }

    /// All, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// Whether authorization is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaNeeded {
    /// It is not.
    NoAuth,
    /// It is.
    AuthNeeded,
    /// It is, and who performs the service has to ask for it.
    PerformerAsks,
    /// It was given already (crd-ci-q5).
    Satisfied {
        /// The number on file.
        pa_id: String,
    },
}

/// What has to be filled in or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// Who has to.
    pub needed: DocNeeded,
    /// What for; left out where the version cannot say it.
    pub purpose: Option<DocPurpose>,
    /// The forms, each `canonical|version`.
    pub questionnaires: Vec<String>,
    /// Why (crd-ci-q8).
    pub why: Reason,
}

/// Who has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocNeeded {
    /// A clinician.
    Clinical,
    /// The office.
    Administrative,
    /// Both.
    Both,
}

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocPurpose {
    /// For the prior authorization; not sayable in 2.2 (rulings 43).
    WithPa,
    /// For the claim.
    WithClaim,
    /// For the order.
    WithOrder,
    /// To be kept.
    Retain,
}

/// What a later step of the work will bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoNeeded {
    /// Who performs the service.
    Performer,
    /// Where.
    Location,
    /// When.
    Timeframe,
    /// A finer code.
    DetailCode,
    /// Something that the reason names.
    Other,
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The department.
    pub name: String,
    /// Telephone.
    pub phone: String,
    /// Fax.
    pub fax: String,
    /// Electronic mail.
    pub email: String,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A code, where the version has it.
    pub code: Option<ReasonCode>,
    /// In words, always (crd-ci-q7).
    pub text: String,
}

impl Reason {
    /// A reason in words.
    #[must_use]
    pub fn words(text: impl Into<String>) -> Reason {
        Reason { code: None, text: text.into() }
    }
}

/// Coded reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonCode {
    /// The prescriber is exempt.
    GoldCard,
    /// The code is too coarse; 2.0.1 says so as a reason, 2.2 as a need.
    DetailCode,
    /// Nobody with this member id.
    NoMemberFound,
    /// The member's coverage is not in force.
    NoActiveCoverage,
    /// Which coverage the member has cannot be told.
    CoverageNotFound,
    /// A system did not answer.
    Technical,
}

/// What else is to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Where the policy stands.
    PolicyLink(String),
    /// What to do, in words.
    Instructions(String),
}

impl CoverageInformation {
    /// The extension as JSON, about the Coverage that `coverage` names.
    #[must_use]
    pub fn extension(&self, version: CrdVersion, coverage: &str) -> Value {
        let mut parts = vec![json!({
            "url": "coverage",
            "valueReference": {"reference": coverage},
        })];
        self.push_answer(version, &mut parts);
        parts.extend(self.billing.iter().map(billing_code));
        parts.extend(self.all_reasons().map(|reason| reason.part(version)));
        if version.has_later_elements() {
            parts.extend(self.details.iter().map(|detail| detail.part(version)));
        }
        parts.extend(
            self.depends_on
                .iter()
                .map(|order| json!({"url": "dependency", "valueReference": {"reference": order}})),
        );
        parts.extend(
            self.questionnaires()
                .map(|form| json!({"url": "questionnaire", "valueCanonical": form})),
        );
        parts.push(json!({"url": "date", "valueDate": self.date.to_string()}));
        parts.push(json!({"url": "coverage-assertion-id", "valueString": self.assertion_id}));
        if let Some(PaNeeded::Satisfied { pa_id }) = self.pa() {
            // crd-ci-q5
            parts.push(json!({"url": "satisfied-pa-id", "valueString": pa_id}));
        }
        parts.extend(self.contact.iter().flat_map(|contact| contact.parts(version)));
        if let Some(until) = self.until.filter(|_| version.has_later_elements()) {
            parts.push(json!({"url": "expiry-date", "valueDate": until.to_string()}));
        }
        json!({"url": COVERAGE_INFORMATION, "extension": parts})
    }

    fn push_answer(&self, version: CrdVersion, parts: &mut Vec<Value>) {
        let covered = match &self.coverage {
            Coverage::NotCovered { .. } => "not-covered",
            Coverage::Covered { .. } => "covered",
            Coverage::Indeterminate { .. } => version.indeterminate(),
            Coverage::Conditional { .. } => "conditional",
        };
        parts.push(code("covered", covered));
        let pa = match &self.coverage {
            Coverage::NotCovered { .. } => version.pa_needed_when_not_covered(),
            Coverage::Covered { pa, .. } => Some(pa.code()),
            Coverage::Indeterminate { .. } => Some(version.indeterminate()),
            Coverage::Conditional { pa, .. } => {
                Some(pa.as_ref().map_or("conditional", PaNeeded::code))
            }
        };
        parts.extend(pa.map(|pa| code("pa-needed", pa)));
        if let Some(documents) = self.documents() {
            let needed = documents.needed.codes(version);
            parts.extend(needed.iter().map(|needed| code("doc-needed", needed)));
            let purpose = documents.purpose.and_then(|purpose| purpose.code(version));
            parts.extend(purpose.map(|purpose| code("doc-purpose", purpose)));
        }
        match &self.coverage {
            Coverage::Conditional { info, .. } => {
                let mut codes: Vec<&str> = info.iter().map(|info| info.code(version)).collect();
                codes.dedup();
                parts.extend(codes.into_iter().map(|info| code("info-needed", info)));
            }
            // crd-ci-q3: what is conditional needs something, whatever that may be.
            Coverage::Indeterminate { .. } if version.indeterminate() == "conditional" => {
                parts.push(code("info-needed", "OTH"));
            }
            Coverage::NotCovered { .. }
            | Coverage::Covered { .. }
            | Coverage::Indeterminate { .. } => {}
        }
    }

    /// Whether authorization is needed, where that is said.
    #[must_use]
    pub fn pa(&self) -> Option<&PaNeeded> {
        match &self.coverage {
            Coverage::NotCovered { .. } | Coverage::Indeterminate { .. } => None,
            Coverage::Covered { pa, .. } => Some(pa),
            Coverage::Conditional { pa, .. } => pa.as_ref(),
        }
    }

    /// What has to be filled in or sent.
    #[must_use]
    pub fn documents(&self) -> Option<&Documents> {
        match &self.coverage {
            Coverage::NotCovered { .. } | Coverage::Indeterminate { .. } => None,
            Coverage::Covered { documents, .. } | Coverage::Conditional { documents, .. } => {
                documents.as_ref()
            }
        }
    }

    fn questionnaires(&self) -> impl Iterator<Item = &String> {
        self.documents().into_iter().flat_map(|documents| &documents.questionnaires)
    }

    /// Every reason, those of the answer's parts first.
    pub fn all_reasons(&self) -> impl Iterator<Item = &Reason> {
        let of_coverage = match &self.coverage {
            Coverage::NotCovered { why }
            | Coverage::Indeterminate { why }
            | Coverage::Conditional { why, .. } => Some(why),
            Coverage::Covered { .. } => None,
        };
        let of_documents = self.documents().map(|documents| &documents.why);
        of_coverage.into_iter().chain(of_documents).chain(&self.reasons)
    }
}

fn code(url: &str, code: &str) -> Value {
    json!({"url": url, "valueCode": code})
}

/// The system's own URI: clients read it as the guides write it.
fn billing_code(coding: &Coding) -> Value {
    json!({
        "url": "billingCode",
        "valueCoding": {"system": coding.system.uri(), "code": &*coding.code},
    })
}

impl Contact {
    /// 2.2 has one `ContactDetail`, 2.0 a `ContactPoint` for each way (crd.md 1.5).
    fn parts(&self, version: CrdVersion) -> Vec<Value> {
        let ways = [("phone", &self.phone), ("fax", &self.fax), ("email", &self.email)];
        let ways = ways.into_iter().filter(|(_, value)| !value.is_empty());
        let ways: Vec<Value> =
            ways.map(|(system, value)| json!({"system": system, "value": value})).collect();
        match version {
            CrdVersion::V2_0 => ways
                .into_iter()
                .map(|way| json!({"url": "contact", "valueContactPoint": way}))
                .collect(),
            CrdVersion::V2_2 if ways.is_empty() => Vec::new(),
            CrdVersion::V2_2 => {
                let detail = json!({"name": self.name, "telecom": ways});
                vec![json!({"url": "contact", "valueContactDetail": detail})]
            }
        }
    }
}

impl PaNeeded {
    fn code(&self) -> &'static str {
        match self {
            PaNeeded::NoAuth => "no-auth",
            PaNeeded::AuthNeeded => "auth-needed",
            PaNeeded::PerformerAsks => "performpa",
            PaNeeded::Satisfied { .. } => "satisfied",
        }
    }
}

impl DocNeeded {
    fn codes(self, version: CrdVersion) -> &'static [&'static str] {
        match (self, version.repeats_doc_needed()) {
            (DocNeeded::Clinical, _) => &["clinical"],
            (DocNeeded::Administrative, _) => &["admin"],
            (DocNeeded::Both, true) => &["clinical", "admin"],
            (DocNeeded::Both, false) => &["both"],
        }
    }
}

impl DocPurpose {
    fn code(self, version: CrdVersion) -> Option<&'static str> {
        match self {
            DocPurpose::WithPa => version.allows_with_pa().then_some("withpa"),
            DocPurpose::WithClaim => Some("withclaim"),
            DocPurpose::WithOrder => Some("withorder"),
            DocPurpose::Retain => Some("retain-doc"),
        }
    }
}

impl InfoNeeded {
    fn code(self, version: CrdVersion) -> &'static str {
        let code = match self {
            InfoNeeded::Performer => "performer",
            InfoNeeded::Location => "location",
            InfoNeeded::Timeframe => "timeframe",
            InfoNeeded::DetailCode => "detail-code",
            InfoNeeded::Other => "OTH",
        };
        if version.info_codes().contains(&code) { code } else { "OTH" }
    }
}

impl Reason {
    fn part(&self, version: CrdVersion) -> Value {
        let text = words::plain(&self.text);
        let code = self.code.map(ReasonCode::code);
        let code = code.filter(|code| version.reason_codes().contains(code));
        let concept = match code {
            Some(code) => json!({"coding": [{"system": TEMP, "code": code}], "text": text}),
            None => json!({"text": text}),
        };
        json!({"url": "reason", "valueCodeableConcept": concept})
    }
}

impl ReasonCode {
    fn code(self) -> &'static str {
        match self {
            ReasonCode::GoldCard => "gold-card",
            ReasonCode::DetailCode => "detail-code",
            ReasonCode::NoMemberFound => "no-member-found",
            ReasonCode::NoActiveCoverage => "no-active-coverage",
            ReasonCode::CoverageNotFound => "coverage-not-found",
            ReasonCode::Technical => "technical",
        }
    }
}

impl Detail {
    fn part(&self, version: CrdVersion) -> Value {
        let (code, value) = match self {
            Detail::PolicyLink(url) => ("policy-link", json!({"url": "value", "valueUrl": url})),
            Detail::Instructions(text) => {
                ("instructions", json!({"url": "value", "valueString": words::plain(text)}))
            }
        };
        let coding = json!([{"system": version.details(), "code": code}]);
        json!({"url": "detail", "extension": [
            {"url": "category", "valueCode": "cat-other"},
            {"url": "code", "valueCodeableConcept": {"coding": coding}},
            value,
        ]})
    }
}
