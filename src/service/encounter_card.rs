//! What a visit's hooks say: which authorizations of the member are on file and in force.

use std::fmt::Write as _;

use super::hook_cards::Shown;
use super::judge_orders::Call;
use super::{OnFile, Service};
use crate::facts::CoverageStanding;
use crate::ig::crd::Topic;
use crate::intake::claim::Item;
use crate::intake::dossier::Dossier;
use crate::render::crd::{Card, CardBody};
use crate::render::words::markdown;
use crate::store::CardRecord;

impl Service {
    /// One card for all of them, as far as the client wants it; no authorization, no card.
    ///
    /// A visit's hooks ask for nothing (crd.md 3.1).
    pub(super) fn encounter_card(&self, call: &Call<'_, '_>, dossier: &Dossier) -> Option<Shown> {
        let is_wanted =
            call.request.wants(Topic::Claim.code()) && call.request.tells_authorizations();
        if !call.request.hook.is_of_encounter() || !is_wanted {
            return None;
        }
        // Of a member who is none any more nothing is said.
        let is_in_force = |item: &Item| matches!(item.coverage, CoverageStanding::InForce(_));
        dossier.items.first().filter(|item| is_in_force(item))?;
        let in_force = call
            .on_file
            .iter()
            .filter(|it| it.valid_from <= call.as_of && call.as_of <= it.valid_to);
        let authorizations: Vec<&OnFile> = in_force.collect();
        let summary = match authorizations.as_slice() {
            [] => return None,
            [only] => format!("Authorization on file: {}", self.product(only)),
            several => format!("{} authorizations are on file", several.len()),
        };
        let mut detail = "Put the number on the claim for the service.\n".to_owned();
        for it in authorizations {
            let (number, product) = (markdown(&it.number), markdown(self.product(it)));
            let (first, last) = (it.valid_from, it.valid_to);
            let _ = write!(detail, "\n- **{number}**: {product}, from {first} to {last}");
        }
        let card = Card {
            uuid: self.world.new_id(),
            summary,
            topic: Topic::Claim,
            orders: Vec::new(),
            body: CardBody::Instructions { detail },
        };
        let record = CardRecord {
            card_id: card.uuid.clone(),
            order_reference: String::new(),
            kind: "instructions".to_owned(),
            name: "authorizations".to_owned(),
            policy: None,
            clause: None,
        };
        Some((card, record))
    }

    fn product<'s>(&'s self, authorization: &'s OnFile) -> &'s str {
        let policy = &authorization.fact.policy;
        self.rules.shelf.title(policy).unwrap_or(policy)
    }
}
