//! The shelf of policies: which edition judges an order.

use super::card::CardRule;
use super::criterion::{Authority, Condition, Edition, ProductMap, Text};
use super::document::Document;
use super::finding::{Lack, PolicyId, Verdict};
use crate::facts::{Case, Product};
use crate::terms::{Coding, Concept, Day, System, When};

/// All policies of a plan, each with its editions.
#[derive(Debug, Default)]
pub struct Shelf {
    policies: Vec<Policy>,
}

/// A policy and its editions, oldest first.
#[derive(Debug)]
pub struct Policy {
    /// Its id.
    pub id: Box<str>,
    /// The editions with their first days; several may share one text.
    pub editions: Vec<(Day, std::sync::Arc<Edition>)>,
}

/// What was chosen for an order.
#[derive(Debug)]
pub enum Choice<'s> {
    /// No policy speaks of the product.
    NoPolicy,
    /// A policy does, but no edition of it was in force on the day.
    NotInForce {
        /// The policy, if one can be named.
        policy: Option<PolicyId>,
        /// Why nothing judges.
        why: String,
    },
    /// This edition judges.
    Edition {
        /// Its first day.
        effective: Day,
        /// Its content; of a renewal, that of the edition it renews.
        edition: &'s Edition,
        /// What keeps the product itself in doubt.
        doubt: Option<String>,
    },
}

/// How firmly an order names a policy's product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    No,
    /// By a code of its own.
    ByCode,
    /// By words alone, or by codes that contradict each other.
    InDoubt(&'static str),
}

/// Whether a concept is the product by one of its own codes.
#[must_use]
pub fn is_product(product: &ProductMap, concept: &Concept) -> bool {
    product.codes.has(concept)
}

impl Shelf {
    /// A shelf of these policies.
    #[must_use]
    pub fn new(policies: Vec<Policy>) -> Shelf {
        Shelf { policies }
    }

    /// The policies on it.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Chooses by product and date of service; of several, the highest authority in force.
    #[must_use]
    pub fn choose(&self, case: Case<'_>) -> Choice<'_> {
        let day = case.order.service_date.when;
        let mut chosen: Option<(Authority, Choice<'_>)> = None;
        let mut missing: Option<Choice<'_>> = None;
        for policy in &self.policies {
            let naming = policy.naming(case);
            let doubt = match naming {
                Naming::No => continue,
                Naming::ByCode => None,
                Naming::InDoubt(why) => Some(why.to_owned()),
            };
            match policy.in_force(day) {
                InForce::Edition(effective, edition) => {
                    let choice = Choice::Edition { effective, edition, doubt };
                    if chosen.as_ref().is_none_or(|(authority, _)| edition.authority > *authority) {
                        chosen = Some((edition.authority, choice));
                    }
                }
                InForce::Not(why) => {
                    missing.get_or_insert(Choice::NotInForce { policy: policy.named(), why });
                }
            }
        }
        chosen.map(|(_, choice)| choice).or(missing).unwrap_or(Choice::NoPolicy)
    }
}

impl Shelf {
    /// The codes of all Observations that the policies read, for prefetch templates.
    #[must_use]
    pub fn observation_codes(&self) -> Vec<Coding> {
        self.texts().flat_map(Text::observation_codes).collect()
    }

    /// The ids of clauses that only the place of the service can settle.
    #[must_use]
    pub fn site_clauses(&self) -> Vec<&str> {
        let clauses = self.texts().flat_map(|text| &text.clauses);
        let mut ids: Vec<&str> = clauses
            .filter(|clause| matches!(clause.condition, Condition::SiteInRegistry(_)))
            .map(|clause| &*clause.id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The documents that can settle what a verdict left open because evidence is missing, each
    /// kind once.
    #[must_use]
    pub fn documents(&self, verdict: &Verdict) -> Vec<&Document> {
        let Some(text) = self.text_of(verdict) else { return Vec::new() };
        let mut documents: Vec<&Document> = Vec::new();
        let open = verdict.findings.iter().filter(|it| it.lack == Some(Lack::Evidence));
        for finding in open {
            let clauses = text.clauses.iter().filter(|clause| clause.id == finding.clause);
            for document in clauses.flat_map(|clause| &clause.documents) {
                if !documents.iter().any(|known| known.loinc == document.loinc) {
                    documents.push(document);
                }
            }
        }
        documents
    }

    /// The title of a policy, as its newest text has it.
    #[must_use]
    pub fn title(&self, policy: &str) -> Option<&str> {
        let policy = self.policies.iter().find(|known| &*known.id == policy)?;
        Some(&policy.newest_text()?.title)
    }

    /// The form of the edition that judged, `canonical|version`: its version is the edition's first
    /// day.
    #[must_use]
    pub fn questionnaire(&self, verdict: &Verdict) -> Option<String> {
        let canonical = self.text_of(verdict)?.questionnaire.as_ref()?;
        let edition = verdict.policy.as_ref()?.edition?;
        Some(format!("{canonical}|{edition}"))
    }

    /// The codes of these products that are billed, and that the policy which judged goes by.
    #[must_use]
    pub fn billing_codes(&self, verdict: &Verdict, products: &[Product]) -> Vec<Coding> {
        let policy = verdict
            .policy
            .as_ref()
            .and_then(|id| self.policies.iter().find(|policy| policy.id == id.id)?.newest_text());
        let Some(edition) = policy else { return Vec::new() };
        let mut codes: Vec<Coding> = Vec::new();
        for coding in products.iter().flat_map(|it| &it.concept.codings) {
            let is_billed = BILLED_SYSTEMS.contains(&coding.system);
            if is_billed && edition.product.codes.contains(coding) && !codes.contains(coding) {
                codes.push(coding.clone());
            }
        }
        codes
    }

    /// Whether these products are named by no code at all, or by such only as stand for whatever
    /// has no code of its own.
    #[must_use]
    pub fn lacks_code(&self, products: &[Product]) -> bool {
        let mut codings = products.iter().flat_map(|it| &it.concept.codings);
        codings.all(|coding| {
            let maps = self.policies.iter().filter_map(Policy::newest_text);
            maps.into_iter().any(|edition| edition.product.unclassified.contains(coding))
        })
    }

    /// Whether a concept is the product of a policy, by its own code.
    #[must_use]
    pub fn is_product_of(&self, policy: &str, concept: &Concept) -> bool {
        let policy = self.policies.iter().find(|known| *known.id == *policy);
        let map = policy.and_then(Policy::newest_text).map(|edition| &edition.product);
        map.is_some_and(|map| is_product(map, concept) && !names_another(map, concept))
    }

    /// The cards of the edition that judged whose clause came out as they want it.
    pub fn cards<'s>(&'s self, verdict: &'s Verdict) -> impl Iterator<Item = &'s CardRule> {
        let cards = self.text_of(verdict).into_iter().flat_map(|text| &text.cards);
        cards.filter(|card| card.when.as_ref().is_none_or(|when| when.holds(verdict)))
    }

    /// Whether the place of the service was judged by a clause of its own.
    #[must_use]
    pub fn judges_site(&self, verdict: &Verdict) -> bool {
        let clauses = self.text_of(verdict).into_iter().flat_map(|text| &text.clauses);
        clauses.into_iter().any(|clause| matches!(clause.condition, Condition::SiteInRegistry(_)))
    }

    /// Whether the amount was judged by a clause of its own.
    #[must_use]
    pub fn judges_amount(&self, verdict: &Verdict) -> bool {
        let clauses = self.text_of(verdict).into_iter().flat_map(|text| &text.clauses);
        clauses.into_iter().any(|clause| matches!(clause.condition, Condition::OneDose(_)))
    }

    /// The text of the edition that judged.
    fn text_of(&self, verdict: &Verdict) -> Option<&Text> {
        let id = verdict.policy.as_ref()?;
        let policy = self.policies.iter().find(|policy| policy.id == id.id)?;
        let (_, edition) = policy.editions.iter().find(|(day, _)| Some(*day) == id.edition)?;
        edition.text.as_ref()
    }

    fn texts(&self) -> impl Iterator<Item = &Text> {
        self.policies.iter().filter_map(|policy| policy.newest_text()?.text.as_ref())
    }
}

/// The systems in which products are coded, so that a code of one names a product or a treatment
/// and not a kind of service (clinical.md 8).
pub(super) const PRODUCT_SYSTEMS: &[System] =
    &[System::Ndc, System::RxNorm, System::Hcpcs, System::Cpt, System::Icd10Pcs];

/// Whether a concept names something else by its codes: alone, or beside the product.
///
/// Beside the product an RxNorm code may be its ingredient's, and a CPT code its administration's.
fn names_another(map: &ProductMap, concept: &Concept) -> bool {
    let is_product = map.codes.has(concept) || map.unclassified.has(concept);
    concept.codings.iter().any(|coding| {
        let is_known = map.codes.contains(coding) || map.unclassified.contains(coding);
        let may_accompany = matches!(coding.system, System::RxNorm | System::Cpt);
        !is_known && PRODUCT_SYSTEMS.contains(&coding.system) && !(is_product && may_accompany)
    })
}

/// The systems of codes that a claim is billed by.
const BILLED_SYSTEMS: &[System] = &[System::Hcpcs, System::Cpt, System::Ndc, System::Icd10Pcs];

enum InForce<'s> {
    Edition(Day, &'s Edition),
    Not(String),
}

impl Policy {
    /// The edition in force on every day that `when` can mean.
    fn in_force(&self, when: When) -> InForce<'_> {
        let on = |day: Day| self.editions.iter().rev().find(|(effective, _)| *effective <= day);
        match (on(when.first()), on(when.last())) {
            (Some((first, edition)), Some((last, _))) if first == last => {
                InForce::Edition(*first, edition)
            }
            (None, _) => InForce::Not(format!("no edition of the policy was in force on {when}")),
            (Some(_), _) => {
                InForce::Not(format!("{when} does not tell which edition of the policy holds"))
            }
        }
    }

    fn newest_text(&self) -> Option<&Edition> {
        let mut editions = self.editions.iter().rev().map(|(_, edition)| &**edition);
        editions.find(|edition| edition.text.is_some())
    }

    /// The policy without an edition.
    fn named(&self) -> Option<PolicyId> {
        let newest = self.newest_text()?;
        Some(PolicyId { id: self.id.clone(), title: newest.title.clone(), edition: None })
    }

    fn naming(&self, case: Case<'_>) -> Naming {
        // The product map of the newest text stands for all editions: codes are only ever added.
        let Some(map) = self.newest_text().map(|edition| &edition.product) else {
            return Naming::No;
        };
        let products = &case.order.products;
        let any = |test: &dyn Fn(&Concept) -> bool| products.iter().any(|it| test(&it.concept));
        let by_code = any(&|concept| map.codes.has(concept));
        let is_other = any(&|concept| map.others.has(concept))
            || by_code && products.iter().any(|it| !it.is_part && names_another(map, &it.concept));
        let unclassified = any(&|concept| map.unclassified.has(concept));
        let by_name = any(&|concept| concept.mentions(&map.names));
        match (by_code, is_other, by_name) {
            (true, false, _) => Naming::ByCode,
            (true, true, _) => Naming::InDoubt("the order names two different products"),
            (false, true, _) | (false, false, false) => Naming::No,
            // clinical.md 8: words find the policy, and a person confirms the product.
            (false, false, true) if unclassified => Naming::InDoubt(
                "the product is named in words beside an unclassified code, and not by its own code",
            ),
            (false, false, true) => {
                Naming::InDoubt("the product is named in words only, and not by a code")
            }
        }
    }
}
