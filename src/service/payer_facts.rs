//! What the payer holds itself, taken into a dossier before it is judged.

mod snapshot;

use super::{OnFile, Service, ServiceError};
use crate::intake::dossier::Dossier;
use crate::intake::payer::{self, Enrolled, Held, Listed};
use crate::policy::Plan;
use crate::store::{
    ApprovalCount, AuthorizationRow, CaseId, Inputs, LineRecord, PayerFacts, Snapshot, Store,
};
use crate::terms::{Coding, Day, Span, System, When};

/// What the payer held when something was judged.
pub(super) struct OnHand {
    /// The member's authorizations, newest first.
    pub(super) on_file: Vec<OnFile>,
    /// How often the member had been given one.
    pub(super) approvals: ApprovalCount,
    /// All of it, to be kept.
    pub(super) held: Option<Snapshot>,
}

/// A case that is answered again: what a line was given that is judged again or withdrawn now is no
/// other request's; what its other lines were given is (rulings 11).
#[derive(Clone, Copy)]
pub(super) struct OwnCase<'a> {
    pub(super) id: &'a CaseId,
    /// The lines that stay as they are.
    pub(super) settled: &'a [LineRecord],
}

impl OwnCase<'_> {
    fn still_holds(self, row: &AuthorizationRow) -> bool {
        let is_it = |line: &LineRecord| {
            line.sequence == row.sequence && line.authorization.as_ref() == Some(&row.authorization)
        };
        row.case_id != *self.id || self.settled.iter().any(is_it)
    }
}

impl Service {
    /// With what something is judged today.
    pub(super) fn inputs(&self, judged_on: Day, held: Option<Snapshot>) -> Inputs {
        Inputs { judged_on, rules: self.rules.digest.clone(), held }
    }

    /// Puts what the payer's own store holds into a dossier.
    pub(super) async fn add_payer_facts(
        &self,
        dossier: &mut Dossier,
        own_case: Option<OwnCase<'_>>,
    ) -> Result<OnHand, ServiceError> {
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
) -> Result<(), ServiceError> {
    add_payer_facts(store, dossier, plan, None).await.map(|_| ())
}

/// Puts what was held when something was judged into a dossier that is judged again; false if it
/// cannot be read.
#[must_use]
pub fn take_held_then(
    held: Option<&Snapshot>,
    dossier: &mut Dossier,
    plan: &Plan,
    own_case: Option<&CaseId>,
) -> bool {
    let nothing = || Some((payer::member_id(dossier).to_owned(), PayerFacts::default()));
    let Some((member_id, mut facts)) = held.map_or_else(nothing, snapshot::read) else {
        return false;
    };
    // Older releases kept what the lines that were judged again had been given, and used none of
    // what their case had.
    let counted = |row: &AuthorizationRow| row.sequence != 0 || Some(&row.case_id) != own_case;
    facts.authorizations.retain(counted);
    put_in(dossier, plan, facts, member_id);
    true
}

async fn add_payer_facts(
    store: &dyn Store,
    dossier: &mut Dossier,
    plan: &Plan,
    own_case: Option<OwnCase<'_>>,
) -> Result<OnHand, ServiceError> {
    let member_id = payer::member_id(dossier).to_owned();
    // Of a member who is not known nothing is known.
    let npis = if member_id.is_empty() { Vec::new() } else { payer::prescribers(dossier) };
    let mut facts = store.payer_facts(&member_id, &npis).await?;
    facts.authorizations.retain(|row| own_case.is_none_or(|own| own.still_holds(row)));
    let approvals = facts.approvals;
    let held = snapshot::snapshot(&member_id, &facts)?;
    let on_file = put_in(dossier, plan, facts, member_id);
    Ok(OnHand { on_file, approvals, held })
}

fn put_in(dossier: &mut Dossier, plan: &Plan, facts: PayerFacts, member_id: String) -> Vec<OnFile> {
    let (on_file, held) = in_two(facts, member_id);
    dossier.add_authorizations(on_file.iter().map(|it| it.fact.clone()).collect());
    dossier.add_payer_facts(&held, plan);
    on_file
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
