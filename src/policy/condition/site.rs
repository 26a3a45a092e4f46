//! The order will be carried out in a registered place, in the asked setting (clinical.md 6).

use serde::Deserialize;

use crate::facts::Site;
use crate::policy::codes::Codes;
use crate::policy::finding::Cited;
use crate::policy::scene::{Outcome, Scene, cite, found};
use crate::terms::Concept;

/// A place in the policy's registry, and a setting.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteInRegistry {
    /// The setting that is asked for.
    pub setting: Codes,
    /// Settings that rule the place out, whatever it is.
    pub ruled_out: Codes,
}

impl SiteInRegistry {
    /// Asked: the place; a registered one; the setting; and of a person, what contradicts itself.
    pub const ASKS: &'static [&'static str] = &["place", "not-listed", "setting", "conflict"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![&mut self.setting, &mut self.ruled_out]
    }

    /// Whether a concept names the setting, and no coding of the same system names another one.
    fn is_setting(&self, concept: &Concept) -> bool {
        let mut named = concept.codings.iter().filter(|coding| self.setting.contains(coding));
        let Some(known) = named.next() else { return false };
        let same_system = concept.codings.iter().filter(|coding| coding.system == known.system);
        same_system.into_iter().all(|coding| self.setting.contains(coding))
    }

    /// Looks for the place among those that the order names as its site, and only if there are
    /// none among the organizations that request it.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let order = scene.case.order;
        let (mut right, mut wrong, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        for setting in &order.settings {
            let says = format!("setting {}", setting.concept.name());
            let cited = dated(scene, cite(&setting.source, says));
            if self.ruled_out.has(&setting.concept) {
                wrong.push(cited);
            } else if self.is_setting(&setting.concept) {
                right.push(cited);
            } else {
                unclear.push(cited);
            }
        }
        // rulings 22: the office rules it out, whatever the site.
        if !wrong.is_empty() {
            return Outcome::not_met(wrong);
        }
        let named: Vec<&Site> = order.sites.iter().filter(|site| site.is_named_as_site).collect();
        let sites = if named.is_empty() { order.sites.iter().collect() } else { named };
        let (mut listed, mut unlisted) = (Vec::new(), Vec::new());
        for site in sites {
            let name = site.name.as_deref().unwrap_or("a place without a name");
            match site.npi {
                Some(Ok(npi)) => match scene.registry.qualified(npi, order.service_date.when) {
                    Some(entry) => {
                        let says = format!("{} (NPI {npi}) is a qualified center", entry.name);
                        listed.push(dated(scene, cite(&site.source, says)));
                    }
                    None => unlisted.push(cite(&site.source, format!("{name} (NPI {npi})"))),
                },
                // clinical.md 3: a wrong number is an error of the data, and yet a place is named.
                Some(Err(error)) => unlisted.push(cite(&site.source, format!("{name}: {error}"))),
                None => unlisted.push(cite(&site.source, format!("{name}, without an NPI"))),
            }
        }
        let settings_conflict = !right.is_empty() && !unclear.is_empty();
        let sites_conflict = !listed.is_empty() && !unlisted.is_empty();
        if settings_conflict || sites_conflict {
            let all: Vec<Cited> =
                listed.into_iter().chain(unlisted).chain(right).chain(unclear).collect();
            scene.judge("conflict", &found(&all), all)
        } else if listed.is_empty() && unlisted.is_empty() {
            scene.ask("place", "no place")
        } else if listed.is_empty() {
            scene.ask("not-listed", &found(&unlisted))
        } else if right.is_empty() && unclear.is_empty() {
            scene.ask("setting", &found(&listed))
        } else if right.is_empty() {
            let all: Vec<Cited> = listed.into_iter().chain(unclear).collect();
            scene.judge("setting", &found(&all), all)
        } else {
            Outcome::met(listed.into_iter().chain(right).collect())
        }
    }
}

/// A place or setting is stated for the date of service.
fn dated(scene: &Scene<'_>, mut cited: Cited) -> Cited {
    let service = scene.case.order.service_date.when;
    cited.source.date = cited.source.date.or(Some(service));
    cited
}
