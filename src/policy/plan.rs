//! The plan: who the payer is, what it sells, and what it says of services without a policy.

use serde::Deserialize;

use super::read::PolicyError;
use super::shelf::PRODUCT_SYSTEMS;
use crate::facts::Product;
use crate::terms::{Coding, Npi};

/// A plan file, `profiles/plans/<plan>.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its id.
    pub id: String,
    /// The payer's name, as printed on the member card.
    pub name: String,
    /// The payer's NPI, by which a Coverage is recognised as ours.
    #[serde(deserialize_with = "npi")]
    pub payer_npi: Npi,
    /// The line of a Coverage of ours that names none.
    pub default_line: String,
    /// Words in a Coverage's class that say nothing about the line.
    pub noise: Vec<String>,
    /// Where a policy's page is: this, the policy's id, and the first day of the edition.
    pub policy_pages: String,
    /// The product lines.
    pub lines: Vec<Line>,
    /// Services that need no authorization.
    #[serde(default)]
    no_authorization: Vec<FreeService>,
    /// How authorizations are given.
    pub authorization: AuthorizationTerms,
    /// The codes with which a request is not processed.
    pub refusals: RefusalCodes,
    /// By when a request has to be decided.
    pub clocks: Clocks,
    /// Whom to ask.
    pub contact: Contact,
}

/// A product line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its id, which policies name.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The word that names it in a Coverage's class.
    pub word: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeService {
    system: String,
    code: String,
    /// For the reader of the file.
    #[serde(rename = "note")]
    _note: String,
}

/// How authorizations are given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationTerms {
    /// For how many days an approval is good.
    pub validity_days: i64,
    /// What its number begins with.
    pub number_prefix: String,
    /// What the number of an undecided request begins with.
    pub reference_prefix: String,
}

/// The codes with which a request is not processed; X12 licenses their lists, so that a plan names
/// its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalCodes {
    /// Why, X12 901.
    pub reason: String,
    /// What to do, X12 889: correct it and send it again.
    pub correct: String,
    /// What to do, X12 889: do not send it again.
    pub do_not_resend: String,
}

/// By when a request has to be decided, in hours from its receipt (clinical.md 10.2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    /// A drug, standard.
    pub drug_hours: i64,
    /// A drug, expedited.
    pub drug_expedited_hours: i64,
    /// Another item or service, standard.
    pub service_hours: i64,
    /// Another item or service, expedited.
    pub service_expedited_hours: i64,
    /// Policies whose product is a drug.
    #[serde(default)]
    drugs: Vec<String>,
    /// Policies whose product is another item or service.
    #[serde(default)]
    services: Vec<String>,
}

impl Clocks {
    /// For how many hours the clock of a product runs; the shorter one where the plan does not say
    /// which kind it is (clinical.md 10.3).
    #[must_use]
    pub fn hours(&self, policy: Option<&str>, is_expedited: bool) -> i64 {
        let (drug, service) = if is_expedited {
            (self.drug_expedited_hours, self.service_expedited_hours)
        } else {
            (self.drug_hours, self.service_hours)
        };
        let is_in = |list: &[String]| list.iter().any(|id| Some(id.as_str()) == policy);
        match (is_in(&self.drugs), is_in(&self.services)) {
            (true, false) => drug,
            (false, true) => service,
            (true, true) | (false, false) => drug.min(service),
        }
    }
}

/// Whom to ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The department.
    pub name: String,
    /// Telephone.
    pub phone: String,
    /// Fax.
    pub fax: String,
    /// Electronic mail.
    pub email: String,
    /// When somebody answers.
    pub hours: String,
}

fn npi<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Npi, D::Error> {
    let text = String::deserialize(deserializer)?;
    Npi::parse(&text).map_err(serde::de::Error::custom)
}

/// What a Coverage's class says about the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedLine<'p> {
    /// Nothing: the default line.
    Default(&'p str),
    /// One of ours.
    Known(&'p str),
    /// A line that the plan file does not list.
    Unlisted,
}

impl Plan {
    /// Reads a plan file.
    ///
    /// # Errors
    /// A mistake in it, with its line.
    pub fn read(file: &str, text: &str) -> Result<Plan, PolicyError> {
        let plan: Plan = super::read::parse_toml(file, text)?;
        if plan.lines.iter().any(|line| line.id == plan.default_line) {
            Ok(plan)
        } else {
            Err(PolicyError {
                file: file.to_owned(),
                line: None,
                clause: String::new(),
                what: format!("`default_line` names `{}`, which is no line", plan.default_line),
            })
        }
    }

    /// Whether the service of a code needs no authorization on any line.
    #[must_use]
    pub fn is_free(&self, service: &Coding) -> bool {
        let mut free = self.no_authorization.iter();
        free.any(|free| Coding::from_uri(&free.system, &free.code) == *service)
    }

    /// The codes of these products by which they need no authorization; empty if one of them asks
    /// for something else too.
    ///
    /// Beside a free code another one of a system that services are billed by is another service;
    /// one of a clinical terminology may be the same service's.
    #[must_use]
    pub fn free_codes(&self, products: &[Product]) -> Vec<Coding> {
        let mut free: Vec<Coding> = Vec::new();
        for product in products {
            let codings = &product.concept.codings;
            let (own, others): (Vec<&Coding>, Vec<&Coding>) =
                codings.iter().partition(|it| self.is_free(it));
            let is_other = others.iter().any(|it| PRODUCT_SYSTEMS.contains(&it.system));
            // A part may be named in words alone; what is asked for as a whole has a code.
            if is_other || own.is_empty() && !product.is_part {
                return Vec::new();
            }
            for coding in own {
                if !free.contains(coding) {
                    free.push(coding.clone());
                }
            }
        }
        free
    }

    /// The line that the words of a Coverage's plan classes name.
    #[must_use]
    pub fn line(&self, classes: &[String]) -> NamedLine<'_> {
        let Some(default) = self.lines.iter().find(|line| line.id == self.default_line) else {
            return NamedLine::Unlisted;
        };
        if classes.is_empty() {
            return NamedLine::Default(&default.id);
        }
        let mut named: Vec<&str> = Vec::new();
        for class in classes {
            let lower = class.to_lowercase();
            let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| {
                let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
                !word.is_empty() && !is_year && !self.noise.iter().any(|noise| noise == word)
            });
            let words: Vec<&str> = words.collect();
            let [word] = words.as_slice() else { continue };
            named.extend(
                self.lines.iter().filter(|line| line.word == *word).map(|line| line.id.as_str()),
            );
        }
        named.dedup();
        match named.as_slice() {
            [line] => NamedLine::Known(line),
            _ => NamedLine::Unlisted,
        }
    }

    /// The page of a policy's edition.
    #[must_use]
    pub fn policy_page(&self, policy: &str, edition: &str) -> String {
        format!("{}/{policy}/{edition}", self.policy_pages.trim_end_matches('/'))
    }
}
