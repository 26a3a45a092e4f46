//! The member's authorizations that are on file, and whether one covers an order.

use super::Service;
use super::line::{StoredLine, only_site};
use crate::facts::{Authorization, Case, DateOrigin, Line, Product, Source, SourceKind};
use crate::policy::{Finding, Lack, PolicyId, Shelf, Verdict};
use crate::store::AuthorizationRow;
use crate::terms::{Coding, Day, Npi, System, Truth};

/// An authorization of ours, as a fact, and what it holds for.
pub(super) struct OnFile {
    pub(super) number: String,
    pub(super) fact: Authorization,
    pub(super) valid_from: Day,
    pub(super) valid_to: Day,
    /// The code that was asked for.
    product: Option<Coding>,
    /// The one place for which it was given.
    site: Option<Npi>,
    /// How much was authorized.
    amount: f64,
}

impl OnFile {
    /// `None` where no policy judged: such an authorization says nothing about a policy's product.
    pub(super) fn of(row: AuthorizationRow) -> Option<OnFile> {
        let authorization = row.authorization;
        let fact = Authorization {
            source: Source {
                resource: format!("authorization {}", authorization.number).into(),
                element: "authorization".into(),
                date: Some(authorization.given_on.into()),
                kind: SourceKind::Payer,
            },
            policy: row.policy?.policy_id.into(),
            number: Some(authorization.number.as_str().into()),
        };
        let (valid_from, valid_to) = (authorization.valid_from, authorization.valid_to);
        let key = row.product_key.rsplit_once('|');
        let product = key.map(|(system, code)| Coding::from_uri(system, code));
        let line = StoredLine::read(&row.trace);
        let site = line.site.and_then(|npi| Npi::parse(&npi).ok());
        let amount = line.review.and_then(|it| it.quantity).or(line.amount);
        // rulings 23: without an amount that is one.
        let amount = amount.map_or(1.0, |it| it.parse().unwrap_or_default());
        let number = authorization.number;
        Some(OnFile { number, fact, valid_from, valid_to, product, site, amount })
    }

    /// Whether it was given for what the order asks for. Under one policy several services may
    /// stand, each with a code of its own; a drug has several codes, and is the policy's one.
    fn is_for_product(&self, case: Case<'_>, verdict: &Verdict, policies: &Shelf) -> bool {
        let Some(own) = &self.product else { return true };
        if !SERVICE_SYSTEMS.contains(&own.system) {
            return true;
        }
        let billed = policies.billing_codes(verdict, &case.order.products);
        let mut comparable = billed.iter().filter(|it| it.system == own.system).peekable();
        comparable.peek().is_none() || comparable.all(|it| it == own)
    }

    /// Whether it was given for as much as the order asks for, where no clause of the policy judges
    /// amounts.
    fn is_for_amount(&self, case: Case<'_>, is_judged: bool) -> bool {
        let mut amounts = case.order.amounts.iter().filter(|amount| !amount.is_of_dosage);
        let is_within = |value: &str| value.parse().is_ok_and(|it: f64| it <= self.amount);
        is_judged || amounts.all(|amount| is_within(&amount.value))
    }

    /// Whether it was given for the place that the order names, if it names one.
    fn is_for_site(&self, case: Case<'_>, is_judged: bool) -> bool {
        let Some(own) = self.site else { return true };
        let sites = &case.order.sites;
        !sites.iter().any(|site| site.is_named_as_site || is_judged)
            || only_site(sites, is_judged) == Some(own)
    }
}

/// Whether an order before this one in the same request asks for the same: what was authorized once
/// covers one of them. An order of another type for the same product belongs to it, as the
/// infusion to the drug.
fn is_asked_before(case: Case<'_>, policy: &PolicyId, shelf: &Shelf) -> bool {
    let kind = |source: &Source| source.resource.split('/').next().map(str::to_owned);
    let own = &case.order.products;
    let is_same = |line: &Line| {
        let mut products = line.products.iter();
        products.any(|product| shelf.is_product_of(&policy.id, &product.concept))
            && !are_services_apart(own, &line.products)
    };
    let mut lines = case.order.lines.iter();
    lines.any(|line| {
        line.sequence < case.order.sequence
            && kind(&line.source) == kind(&case.order.source)
            && is_same(line)
    })
}

/// Whether two orders name different services of one policy.
fn are_services_apart(one: &[Product], other: &[Product]) -> bool {
    let codes = |products: &[Product]| -> Vec<Coding> {
        let codings = products.iter().flat_map(|it| &it.concept.codings);
        codings.filter(|it| SERVICE_SYSTEMS.contains(&it.system)).cloned().collect()
    };
    let (one, other) = (codes(one), codes(other));
    !one.is_empty() && !other.is_empty() && !one.iter().any(|it| other.contains(it))
}

/// The systems in which each code is a service of its own.
const SERVICE_SYSTEMS: &[System] = &[System::Hcpcs, System::Cpt, System::Icd10Pcs];

impl Service {
    /// The authorization on file that covers an order (rulings 26), its number and its last day:
    /// given for the same thing, as much of it and the same place, valid on the day of service, and
    /// nothing in the records speaks against another infusion.
    ///
    /// An order that names no day of service is for a day to come.
    pub(super) fn authorized(
        &self,
        on_file: &[OnFile],
        case: Case<'_>,
        verdict: &Verdict,
        as_of: Day,
    ) -> Option<(String, Day)> {
        let policies = &self.rules.shelf;
        let policy = verdict.policy.as_ref()?;
        // What speaks against it still does where other records could not be read.
        let speaks_against = |finding: &Finding| {
            finding.truth == Truth::NotMet
                || !finding.unread.is_empty() && finding.lack == Some(Lack::Judgement)
        };
        if verdict.findings.iter().any(speaks_against) || is_asked_before(case, policy, policies) {
            return None;
        }
        let date = &case.order.service_date;
        let (first, last) = match date.origin {
            DateOrigin::Item | DateOrigin::Admission | DateOrigin::Order => {
                (date.when.first(), date.when.last())
            }
            DateOrigin::Request | DateOrigin::AsOf => (as_of, as_of),
        };
        let is_judged = policies.judges_site(verdict);
        let judges_amount = policies.judges_amount(verdict);
        let covers = |it: &&OnFile| {
            it.fact.policy == policy.id
                && it.valid_from <= first
                && last <= it.valid_to
                && it.is_for_product(case, verdict, policies)
                && it.is_for_site(case, is_judged)
                && it.is_for_amount(case, judges_amount)
        };
        on_file.iter().find(covers).map(|it| (it.number.clone(), it.valid_to))
    }
}
