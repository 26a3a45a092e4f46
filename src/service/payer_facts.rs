//! What the payer holds itself, taken into a dossier before it is judged.

use super::{OnFile, Service};
use crate::intake::dossier::Dossier;
use crate::intake::payer::{self, Enrolled, Held, Listed};
use crate::policy::Plan;
use crate::store::{ApprovalCount, CaseId, PayerFacts, Store, StoreError};
use crate::terms::{Coding, Day, Span, System, When};

impl Service {
    /// Puts what the payer's own store holds into a dossier; the authorizations on file, newest
    /// first, and how often the member had been given one.
    ///
    /// What the case that is judged was given itself is no earlier request's.
    pub(super) async fn add_payer_facts(
        &self,
        dossier: &mut Dossier,
        own_case: Option<&CaseId>,
    ) -> Result<(Vec<OnFile>, ApprovalCount), StoreError> {
        add_payer_facts(&*self.store, dossier, &self.rules.plan, own_case).await
    }
}

/// Puts what `store` holds into a dossier that is judged without a server.
///
/// # Errors
/// The store cannot be read.
pub async fn take_payer_facts(
    store: &dyn Store,
    dossier: &mut Dossier,
    plan: &Plan,
) -> Result<(), StoreError> {
    add_payer_facts(store, dossier, plan, None).await.map(|_| ())
}

async fn add_payer_facts(
    store: &dyn Store,
    dossier: &mut Dossier,
    plan: &Plan,
    own_case: Option<&CaseId>,
) -> Result<(Vec<OnFile>, ApprovalCount), StoreError> {
    let member_id = payer::member_id(dossier).to_owned();
    // Of a member who is not known nothing is known.
    let npis = if member_id.is_empty() { Vec::new() } else { payer::prescribers(dossier) };
    let facts = store.payer_facts(&member_id, &npis).await?;
    let approvals = facts.approvals;
    let (mut on_file, held) = in_two(facts, member_id);
    on_file.retain(|it| Some(&it.case_id) != own_case);
    dossier.add_authorizations(on_file.iter().map(|it| it.fact.clone()).collect());
    dossier.add_payer_facts(&held, plan);
    Ok((on_file, approvals))
}

fn in_two(facts: PayerFacts, member_id: String) -> (Vec<OnFile>, Held) {
    let on_file = facts.authorizations.into_iter().filter_map(OnFile::of).collect();
    let enrolments = facts.enrolments.into_iter().map(|row| Enrolled {
        birth_date: row.birth_date,
        line: row.line,
        valid: span(row.valid_from, row.valid_to),
    });
    let directory = facts.directory.into_iter().map(|row| Listed {
        npi: row.npi,
        code: Coding::new(System::from_uri(&row.system), &row.code),
        valid: span(row.valid_from, row.valid_to),
    });
    let held = Held {
        member_id,
        has_roster: facts.has_roster,
        enrolments: enrolments.collect(),
        directory: directory.collect(),
        claims: facts.claims.into_iter().map(|claim| (claim.name, claim.resource)).collect(),
        is_cut: facts.is_cut,
    };
    (on_file, held)
}

fn span(from: Option<Day>, to: Option<Day>) -> Span {
    Span { start: from.map(When::from), end: to.map(When::from) }
}
