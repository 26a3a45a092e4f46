//! Which cards an answer to a hook has.

use super::Service;
use super::judge_orders::Judged;
use crate::cds::HookRequest;
use crate::render::crd::{Card, explain};

impl Service {
    /// The cards of every order that coverage information can be given of, as far as the client
    /// wants them.
    pub(super) fn hook_cards(&self, request: &HookRequest<'_>, judged: &[Judged<'_>]) -> Vec<Card> {
        // CRD 2.2.1 dev-14
        if !request.wants("guideline") {
            return Vec::new();
        }
        let of_coverage = judged.iter().filter(|order| order.coverage.is_some());
        of_coverage.flat_map(|order| self.policy_cards(order)).collect()
    }

    /// What is proven of an order, and where its policy stands.
    fn policy_cards(&self, order: &Judged<'_>) -> Vec<Card> {
        let (reference, verdict) = (&order.reference, &order.verdict);
        let instructions = explain::instructions_card(&self.world.new_id(), reference, verdict);
        let page = order
            .policy_page(&self.rules.plan)
            .and_then(|page| explain::policy_card(&self.world.new_id(), reference, verdict, &page));
        instructions.into_iter().chain(page).collect()
    }
}
