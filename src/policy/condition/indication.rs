//! The order is for the policy's disease, and for no other (clinical.md 7.3).

use serde::Deserialize;

use crate::policy::disease::Class;
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::Standing;

/// The reason that the order itself gives is the disease of the policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indication {}

impl Indication {
    /// Asked: the reason; and of a person, what to make of a reason that is unclear or mixed.
    pub const ASKS: &'static [&'static str] = &["reason", "unclear", "mixed"];

    /// Looks only at the reasons of the request, by their codes and the Conditions they point at.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let (mut ours, mut others, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        let mut doubtful = Vec::new();
        let mut set_aside = Vec::new();
        for reason in &scene.case.order.reasons {
            let mut records = scene.case.evidence.conditions.iter();
            let record = records.find(|it| reason.condition == Some(it.id));
            let sighting = record.and_then(|record| scene.picture.sighting(record.id));
            let standing = record.map(|record| Standing::of(record, scene.as_of));
            if let Some(standing @ (Standing::Refuted | Standing::EnteredInError)) = standing {
                set_aside.push(aside(&reason.source, standing.words()));
                continue;
            }
            let own = scene.disease.class_of_concept(&reason.concept);
            let class = match (own, sighting) {
                (Class::Unrelated | Class::OtherPrimary, Some(sighting)) => sighting.class,
                (own, _) => own,
            };
            let name =
                sighting.map_or(reason.concept.name(), |sighting| sighting.condition.code.name());
            let mut cited = cite(&reason.source, format!("asked for because of {name}"));
            cited.source.date = cited.source.date.or(Some(scene.requested()));
            let is_apart = scene.disease.apart.has(&reason.concept)
                || record.is_some_and(|record| scene.disease.apart.has(&record.code));
            match class {
                Class::Disease | Class::Metastatic => ours.push(cited),
                Class::OtherPrimary => others.push(cited),
                // clinical.md 7.3: another cancer, even if no metastasis comes from it (rulings 19);
                // and what only a person can take for the disease.
                Class::Unrelated if is_apart => doubtful.push(cited),
                Class::Special | Class::Doubtful | Class::Conflict => doubtful.push(cited),
                Class::InSitu
                | Class::History
                | Class::Benign
                | Class::Distant { .. }
                | Class::Regional
                | Class::Unspecific
                | Class::WordsOnly => unclear.push(cited),
                // A reason beside the disease: anaemia, hypertension. Not a reason for this therapy.
                Class::Unrelated => {
                    set_aside.push(aside(&reason.source, "says nothing about the disease"));
                }
            }
        }
        let beside_ours = if ours.is_empty() { &mut unclear } else { &mut others };
        beside_ours.append(&mut doubtful);
        let outcome = match (ours.is_empty(), others.is_empty()) {
            (false, true) => Outcome::met(ours),
            (false, false) => {
                let all: Vec<_> = ours.into_iter().chain(others).collect();
                scene.judge("mixed", &found(&all), all)
            }
            // The records show the disease and the request names another: a person looks.
            (true, false) if scene.picture.may_have_disease() || !unclear.is_empty() => {
                scene.judge("mixed", &found(&others), others)
            }
            (true, false) => Outcome::not_met(others),
            (true, true) if unclear.is_empty() => scene.ask("reason", "no reason"),
            (true, true) => scene.judge("unclear", &found(&unclear), unclear),
        };
        outcome.without(set_aside)
    }
}
