//! The member's authorizations that are on file, and whether one covers an order.

use super::Service;
use super::line::{StoredLine, only_site};
use crate::facts::{Authorization, Case, DateOrigin, Source, SourceKind};
use crate::policy::{Finding, Lack, Shelf, Verdict};
use crate::store::{AuthorizationRow, CaseId};
use crate::terms::{Coding, Day, Npi, System, Truth};

/// An authorization of ours, as a fact, and what it holds for.
pub(super) struct OnFile {
    pub(super) case_id: CaseId,
    pub(super) number: String,
    pub(super) fact: Authorization,
    pub(super) valid_from: Day,
    pub(super) valid_to: Day,
    /// The code that was asked for.
    product: Option<Coding>,
    /// The one place for which it was given.
    site: Option<Npi>,
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
        let site = StoredLine::read(&row.trace).site.and_then(|npi| Npi::parse(&npi).ok());
        let (case_id, number) = (row.case_id, authorization.number);
        Some(OnFile { case_id, number, fact, valid_from, valid_to, product, site })
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

    /// Whether it was given for the place that the order names, if it names one.
    fn is_for_site(&self, case: Case<'_>, is_judged: bool) -> bool {
        let Some(own) = self.site else { return true };
        let sites = &case.order.sites;
        !sites.iter().any(|site| site.is_named_as_site || is_judged)
            || only_site(sites, is_judged) == Some(own)
    }
}

/// The systems in which each code is a service of its own.
const SERVICE_SYSTEMS: &[System] = &[System::Hcpcs, System::Cpt, System::Icd10Pcs];

impl Service {
    /// The authorization on file that covers an order (rulings 26), its number and its last day:
    /// given for the same thing and the same place, valid on the day of service, and nothing in the
    /// records speaks against another infusion.
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
        if verdict.findings.iter().any(speaks_against) {
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
        let covers = |it: &&OnFile| {
            it.fact.policy == policy.id
                && it.valid_from <= first
                && last <= it.valid_to
                && it.is_for_product(case, verdict, policies)
                && it.is_for_site(case, is_judged)
        };
        on_file.iter().find(covers).map(|it| (it.number.clone(), it.valid_to))
    }
}
