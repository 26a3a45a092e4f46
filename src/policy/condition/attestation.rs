//! What no record says: only an answer to the payer's questionnaire shows it.

use serde::Deserialize;

use crate::policy::scene::{Outcome, Scene};

/// Unknown until it is answered; what an answer proves stands in the clause's `attested`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedByQuestionnaire {}

impl AttestedByQuestionnaire {
    /// Asked: the answer.
    pub const ASKS: &'static [&'static str] = &["answer"];

    /// Asks for the answer.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        scene.ask("answer", "no answer")
    }
}
