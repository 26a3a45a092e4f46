//! The order, the patient and the coverage.

use std::sync::Arc;

use crate::terms::{Concept, Npi, Span, When};

use super::source::{FactId, Source};

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated<T> {
    /// What is stated.
    pub value: T,
    /// Where.
    pub source: Source,
}

/// One thing that is asked for: a Claim item or a draft order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The item's sequence in the Claim, or the order's place among the draft orders, from 1.
    pub sequence: u32,
    /// The whole item or order.
    pub source: Source,
    /// Resources that are this order itself and therefore no evidence of an earlier one.
    pub is: Vec<FactId>,
    /// What is asked for, from every place that says it.
    pub products: Vec<Product>,
    /// The date that decides which edition judges and how old the patient is.
    pub service_date: ServiceDate,
    /// The date of the request, from which look-back windows count.
    pub requested_on: Stated<When>,
    /// Why it is asked for.
    pub reasons: Vec<Reason>,
    /// Who prescribes; `None` where nobody is named.
    pub prescriber: Option<Prescriber>,
    /// The organization for which a draft order's requester orders, where the requester says so.
    pub ordered_for: Option<Npi>,
    /// Where it will be given.
    pub sites: Vec<Site>,
    /// In which setting.
    pub settings: Vec<Setting>,
    /// How much, from every place that says it, the item's own first; none means one dose.
    pub amounts: Vec<Amount>,
    /// What says that it is to be given more than once.
    pub repeats: Vec<Repeat>,
    /// The words of its instructions and notes.
    pub instructions: Vec<Stated<Box<str>>>,
    /// All lines of the same request, this one among them; they are shared by its orders.
    pub lines: Arc<[Line]>,
}

/// A code or name of what is asked for.
#[derive(Clone, Debug)]
pub struct Product {
    /// Codes and words.
    pub concept: Concept,
    /// Whether it names only a part of what is asked for, such as a detail of an item.
    pub is_part: bool,
    /// Where they stand.
    pub source: Source,
}

/// The day on which the service is to be given.
#[derive(Clone, Debug)]
pub struct ServiceDate {
    /// The date.
    pub when: When,
    /// Which statement gave it.
    pub origin: DateOrigin,
    /// Where it stands.
    pub source: Source,
}

/// Which statement a date of service was taken from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrigin {
    /// The item's serviced date or the start of its period.
    Item,
    /// The admission dates of the Claim.
    Admission,
    /// The order's occurrence or dosage timing.
    Order,
    /// The date of the request, since nothing else says one.
    Request,
    /// The day of judging, since nothing at all says one.
    AsOf,
}

impl DateOrigin {
    /// In words, for explanations.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            DateOrigin::Item => "date of service of the item",
            DateOrigin::Admission => "admission date",
            DateOrigin::Order => "date in the order",
            DateOrigin::Request => "date of the request, as no date of service is given",
            DateOrigin::AsOf => "today, as no date at all is given",
        }
    }
}

/// A reason for the order.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The code of the reason, if it is given by code.
    pub concept: Concept,
    /// The Condition that it points at, if it does.
    pub condition: Option<FactId>,
    /// Where it stands.
    pub source: Source,
}

/// Who prescribes.
#[derive(Clone, Debug)]
pub struct Prescriber {
    /// The name, for questions to the clinician.
    pub name: Option<String>,
    /// Where the prescriber is named.
    pub source: Source,
    /// The Practitioner, where the request holds it.
    pub person: Option<FactId>,
    /// The prescriber's NPI, by which the payer's directory knows more.
    pub npi: Option<Npi>,
    /// An NPI that does not pass its check digit was given: a data error, not a verdict.
    pub npi_is_wrong: bool,
    /// What the records say of the prescriber's specialty; outdated ones are left out already.
    pub specialties: Vec<Specialty>,
}

/// A specialty of the prescriber.
#[derive(Clone, Debug)]
pub struct Specialty {
    /// Taxonomy and SNOMED codes.
    pub concept: Concept,
    /// Whether it stops being true at some date, or began at one.
    pub valid: Span,
    /// Where it stands.
    pub source: Source,
}

/// A place where the order may be carried out.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its NPI; `None`: none is given; an error: the number is wrong.
    pub npi: Option<Result<Npi, crate::terms::id::NpiError>>,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is named as the site, and not only as the requesting organization.
    pub is_named_as_site: bool,
    /// Where it stands.
    pub source: Source,
}

/// A setting in which the order may be carried out.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Place of service, encounter class, and the like.
    pub concept: Concept,
    /// Where it stands.
    pub source: Source,
}

/// How much is asked for.
#[derive(Clone, Debug)]
pub struct Amount {
    /// The number, as written, behind the comparator if there is one.
    pub value: Box<str>,
    /// The unit's words or code.
    pub unit: Option<Box<str>>,
    /// Whether it is what one administration takes, which may be measured in anything.
    pub is_of_dosage: bool,
    /// Where it stands.
    pub source: Source,
}

/// A statement that the order is to be given again.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// What says so, in words.
    pub words: String,
    /// Whether it certainly means more than once.
    pub is_certain: bool,
    /// Where it stands.
    pub source: Source,
}

/// A line of the same request, as its other lines see it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its sequence.
    pub sequence: u32,
    /// What it asks for.
    pub products: Vec<Product>,
    /// Its own date of service, if it has one.
    pub date: Option<When>,
    /// Where it stands.
    pub source: Source,
}

/// The patient.
#[derive(Clone, Debug)]
pub struct Patient {
    /// The Patient resource.
    pub source: Source,
    /// The birth date; an error text where one is given that is no date.
    pub birth_date: Option<Result<When, String>>,
    /// The birth dates that the payer's member roster gives; several contradict each other.
    pub enrolled_births: Vec<Stated<When>>,
    /// The administrative gender code.
    pub gender: Option<Box<str>>,
    /// Sexes recorded by US Core extensions, as codes: `M`, `F`, SNOMED codes.
    pub recorded_sex: Vec<Stated<Box<str>>>,
}

/// Whether the coverage is ours and in force.
#[derive(Clone, Debug)]
pub enum CoverageStanding {
    /// A coverage of ours, in force on the date of service.
    InForce(Membership),
    /// Everything else.
    Unusable(Unusable),
}

/// A coverage that cannot be used, or none at all.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// Why, in words.
    pub why: String,
    /// What kind of reason it is.
    pub lack: CoverageLack,
    /// The Coverage, where one of ours is meant and the request is about it.
    pub source: Option<Source>,
}

impl Unusable {
    /// Nothing can be said of a coverage of ours.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Unusable {
        Unusable { why: why.into(), lack: CoverageLack::NotOurs, source: None }
    }
}

/// Why a coverage cannot be used (crd.md 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoverageLack {
    /// It is another payer's or another person's, or there is none, or the order does not stand.
    NotOurs,
    /// The member is not on the roster.
    NoMember,
    /// It is certainly not in force on the date of service.
    NotInForce,
    /// It is ours, and cannot be told to be in force.
    Unclear,
    /// It depends on the day of service, which is not said exactly enough.
    DayUnclear,
    /// It, or who pays by it, could not be read for a technical reason.
    Unread,
    /// It is in force, and a person has to look at the member's records.
    Person,
}

/// A coverage of ours.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The product line, by its id in the plan file.
    pub line: Box<str>,
    /// The member id, if the coverage gives one.
    pub member_id: Option<Box<str>>,
    /// When it ends, if it says so.
    pub until: Option<When>,
    /// The Coverage.
    pub source: Source,
}
