//! The prescriber has one of the named specialties (clinical.md 3).

use serde::Deserialize;

use crate::facts::{SourceKind, Specialty};
use crate::policy::codes::Codes;
use crate::policy::scene::{Outcome, Scene, aside, cite};
use crate::terms::{Coding, System, Truth};

/// Who may prescribe, in tiers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrescriberSpecialty {
    /// One of these is enough.
    pub enough: Codes,
    /// One of these carries the title, and a person decides.
    pub by_title: Codes,
    /// Part of the team, not enough by itself.
    pub team: Codes,
    /// Certainly another specialty.
    pub other: Codes,
}

impl PrescriberSpecialty {
    /// Asked: the treating specialist; a correct NPI; and of a person, whether the title is enough.
    pub const ASKS: &'static [&'static str] = &["specialist", "npi", "by-title"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![&mut self.enough, &mut self.by_title, &mut self.team, &mut self.other]
    }

    /// Looks at every specialty on record that is valid on the day of the request.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let Some(prescriber) = &scene.case.order.prescriber else {
            return scene.ask("specialist", "not named");
        };
        let name = prescriber.name.as_deref().unwrap_or("a prescriber without a name");
        if prescriber.npi_is_wrong {
            return scene
                .ask("npi", name)
                .without(vec![aside(&prescriber.source, "the NPI does not pass its check digit")]);
        }
        let mut set_aside = Vec::new();
        let (mut enough, mut by_title, mut other) = (Vec::new(), Vec::new(), Vec::new());
        let contradicted = self.contradicted(scene, &prescriber.specialties);
        let is_only_a_field = self.only_a_field(scene, &prescriber.specialties);
        let mut undecided = false;
        for specialty in &prescriber.specialties {
            let says = format!("{name}: {}", specialty.concept.name());
            let mut cited = cite(&specialty.source, says);
            // It is stated for the day of the request.
            cited.source.date = cited.source.date.or(Some(scene.requested()));
            match specialty.valid.covers(scene.requested()) {
                Truth::Met => {}
                Truth::NotMet => {
                    set_aside.push(aside(&specialty.source, "not valid on the day of the request"));
                    continue;
                }
                Truth::Unknown => {
                    set_aside.push(aside(&specialty.source, "perhaps not valid on that day"));
                    undecided = true;
                    continue;
                }
            }
            let is_other = self.other.has(&specialty.concept);
            if contradicted(specialty) || is_only_a_field(specialty) {
                undecided = true;
                set_aside.push(aside(&specialty.source, "the request names another profession"));
            } else if self.enough.has(&specialty.concept) && is_other {
                // clinical.md 1.2: codings that contradict each other are unknown.
                undecided = true;
                set_aside.push(aside(&specialty.source, "its codes contradict each other"));
            } else if self.enough.has(&specialty.concept) {
                enough.push(cited);
            } else if self.by_title.has(&specialty.concept) {
                by_title.push(cited);
            } else if is_other && !self.team.has(&specialty.concept) {
                other.push(cited);
            } else {
                undecided = true;
                set_aside.push(aside(&specialty.source, "not enough by itself"));
            }
        }
        let listed_as = prescriber.specialties.iter().map(|found| found.concept.name());
        let found = if prescriber.specialties.is_empty() {
            format!("{name}, without a specialty on record")
        } else {
            format!("{name}, {}", listed_as.collect::<Vec<_>>().join(", "))
        };
        let outcome = if !enough.is_empty() {
            Outcome::met(enough)
        } else if !by_title.is_empty() {
            scene.judge("by-title", &found, by_title)
        } else if !other.is_empty() && !undecided {
            Outcome::not_met(other)
        } else {
            scene.ask("specialist", &found)
        };
        outcome.without(set_aside)
    }

    /// Which entries of the payer's directory the request contradicts: those that are enough, where
    /// it says that the prescriber certainly has another specialty, or another profession.
    ///
    /// clinical.md 3: the directory comes after what the request says, and an active role that is
    /// enough is enough; an internist may be an oncologist, a nurse practitioner is none.
    fn contradicted<'s>(
        &'s self,
        scene: &Scene<'_>,
        specialties: &'s [Specialty],
    ) -> impl Fn(&Specialty) -> bool + use<'s> {
        let requested = scene.requested();
        let stated: Vec<&Specialty> = specialties
            .iter()
            .filter(|it| !is_listed(it) && it.valid.covers(requested) != Truth::NotMet)
            .filter(|it| !it.concept.codings.is_empty())
            .collect();
        let is_settled = stated
            .iter()
            .any(|it| self.enough.has(&it.concept) && it.valid.covers(requested) == Truth::Met);
        move |specialty| {
            let professions = || specialty.concept.codings.iter().filter_map(profession);
            let fits = |own: &&Specialty| {
                !self.other.has(&own.concept)
                    && own.concept.codings.iter().all(|code| {
                        profession(code).is_some_and(|own| professions().any(|it| it == own))
                    })
            };
            is_listed(specialty)
                && !is_settled
                && self.enough.has(&specialty.concept)
                && !stated.iter().all(fits)
        }
    }

    /// Which specialties are enough by a code that names a field of work and no profession, while
    /// another one says by its taxonomy that the prescriber has a profession that is not enough.
    ///
    /// clinical.md 3, N21, N22: nurses and pharmacists work in oncology too.
    fn only_a_field(
        &self,
        scene: &Scene<'_>,
        specialties: &[Specialty],
    ) -> impl Fn(&Specialty) -> bool {
        let requested = scene.requested();
        let is_specialists =
            |stated| self.enough.set.members().filter_map(profession).any(|it| it == stated);
        let has_another_profession = specialties
            .iter()
            .filter(|it| it.valid.covers(requested) != Truth::NotMet)
            .flat_map(|it| &it.concept.codings)
            .filter_map(profession)
            .any(|stated| !is_specialists(stated));
        move |specialty| {
            has_another_profession
                && specialty.concept.codings.iter().all(|it| profession(it).is_none())
        }
    }
}

fn is_listed(specialty: &Specialty) -> bool {
    specialty.source.kind == SourceKind::Payer
}

/// The profession of a NUCC taxonomy code: its first two characters stand for the provider
/// grouping, level I of the code set (20 physicians, 36 physician assistants and advanced practice
/// nurses).
fn profession(code: &Coding) -> Option<&str> {
    (code.system == System::Nucc).then(|| code.code.get(..2)).flatten()
}
