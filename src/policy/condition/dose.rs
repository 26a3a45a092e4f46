//! One dose is asked for, and none was given before (clinical.md 7.1).

use serde::Deserialize;

use super::exposure::{Dose, Exposure};
use crate::facts::{MedicationKind, Product, Source};
use crate::policy::codes::Codes;
use crate::policy::finding::{Cited, SetAside};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::Standing;
use crate::terms::{Coding, Truth};

/// A therapy that is given once in a lifetime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneDose {
    /// The therapy, as a record of its use names it.
    pub therapy: Codes,
    /// Codes that count containers, several of which make one dose.
    pub containers: Codes,
    /// How many containers one dose has at most.
    pub most_containers: u32,
    /// Diagnoses that hint at an earlier therapy of the kind without naming it.
    pub hints: Codes,
    /// Units that count containers, whatever the code.
    pub container_units: Vec<String>,
    /// Units that count what the code stands for.
    pub piece_units: Vec<String>,
    /// Units that count doses.
    pub dose_units: Vec<String>,
    /// Units that count something that one dose may have many of.
    pub other_units: Vec<String>,
    /// Words of the order's instructions that speak of a further dose.
    pub again_words: Vec<String>,
    /// Words that turn such a one into its opposite where they stand before it.
    pub not_again_words: Vec<String>,
}

fn codes(products: &[Product]) -> impl Iterator<Item = &Coding> {
    products.iter().flat_map(|product| &product.concept.codings)
}

/// Whether two orders of one type are meant, and not two lines of a Claim, which may name one dose
/// by two codes, nor an order of another type that goes with the first.
fn is_order_apart(one: &Source, other: &Source) -> bool {
    let kind = |source: &Source| source.resource.split('/').next().map(str::to_owned);
    one.resource != other.resource && kind(one) == kind(other)
}

impl OneDose {
    /// Asked: whether it is the first; and of a person, an amount that is unclear.
    pub const ASKS: &'static [&'static str] = &["first", "amount"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![&mut self.therapy, &mut self.containers, &mut self.hints]
    }

    /// Looks at what was given before, then at what is asked for now.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let mut given = Vec::new();
        let mut perhaps = Vec::new();
        let mut set_aside = Vec::new();
        self.hear_records(scene, &mut given, &mut perhaps, &mut set_aside);
        for condition in &scene.case.evidence.conditions {
            let standing = Standing::of(condition, scene.as_of);
            if self.hints.has(&condition.code)
                && !matches!(standing, Standing::Refuted | Standing::EnteredInError)
            {
                perhaps.push(cite(&condition.source, condition.code.name()));
            }
        }
        for known in &scene.case.evidence.authorizations {
            if *known.policy == *scene.policy {
                let says = match &known.number {
                    Some(number) => format!("authorization {number}"),
                    None => "an earlier authorization".to_owned(),
                };
                perhaps.push(cite(&known.source, says));
            }
        }
        let mut again = Vec::new();
        let mut unclear = Vec::new();
        self.hear_order(scene, &mut again, &mut unclear);
        // What the request says, it says on its day (clinical.md 9: every reason has a date).
        for cited in again.iter_mut().chain(&mut unclear) {
            cited.source.date = cited.source.date.or(Some(scene.requested()));
        }
        let outcome = if !given.is_empty() || !again.is_empty() {
            Outcome::not_met(given.into_iter().chain(again).collect())
        } else if !perhaps.is_empty() {
            scene.ask("first", &found(&perhaps))
        } else if !unclear.is_empty() {
            scene.judge("amount", &found(&unclear), unclear)
        } else {
            let order = scene.case.order;
            let (mut source, says) = match order.amounts.first() {
                Some(amount) => (amount.source.clone(), "one dose is asked for"),
                None => (order.source.clone(), "no amount is given, which means one dose"),
            };
            source.date = source.date.or(Some(order.requested_on.value));
            Outcome::met(vec![cite(&source, format!("{says}; none is on record as given"))])
        };
        outcome.without(set_aside)
    }

    fn hear_records(
        &self,
        scene: &Scene<'_>,
        given: &mut Vec<Cited>,
        perhaps: &mut Vec<Cited>,
        set_aside: &mut Vec<SetAside>,
    ) {
        for record in &scene.case.evidence.medications {
            let by_name =
                !self.therapy.has(&record.code) && record.code.mentions(scene.product_names);
            let stands = !matches!(Dose::of(record), Dose::NotGiven | Dose::EnteredInError);
            if by_name && stands && !scene.case.order.is.contains(&record.id) {
                perhaps.push(cite(&record.source, format!("{}, by name only", record.code.name())));
            }
        }
        let exposure = Exposure::of(&self.therapy, scene.case.evidence, scene);
        for found in &exposure.uses {
            let record = found.record;
            if scene.case.order.is.contains(&record.id) {
                continue;
            }
            let status = record.status.as_deref().unwrap_or("of unknown status");
            let cited = cite(&record.source, format!("{}, {status}", record.code.name()));
            match (found.dose, record.kind, status) {
                (
                    Dose::Given,
                    MedicationKind::Administration
                    | MedicationKind::Procedure
                    | MedicationKind::BilledLine,
                    _,
                )
                | (Dose::Given, MedicationKind::Statement, "completed" | "stopped") => {
                    given.push(cited);
                }
                (Dose::NotGiven | Dose::EnteredInError, _, _) => {
                    set_aside.push(aside(&record.source, "no dose was given"));
                }
                (Dose::Given | Dose::GivenAndOnHold | Dose::Perhaps, _, _) => perhaps.push(cited),
            }
        }
    }

    /// Whether the request asks for more than one dose, or perhaps does.
    fn hear_order(&self, scene: &Scene<'_>, again: &mut Vec<Cited>, unclear: &mut Vec<Cited>) {
        let order = scene.case.order;
        for repeat in &order.repeats {
            let cited = cite(&repeat.source, repeat.words.clone());
            if repeat.is_certain { again.push(cited) } else { unclear.push(cited) }
        }
        // clinical.md 7.1, N3: words prove no second dose, and yet one dose is not certain.
        for instruction in &order.instructions {
            if let Some(words) = self.speaks_of_another(&instruction.value) {
                unclear.push(cite(&instruction.source, format!("the order speaks of: {words}")));
            }
        }
        let service = order.service_date.when;
        for amount in &order.amounts {
            let cited = cite(&amount.source, format!("amount {}", amount.value));
            match self.doses(scene, &amount.value, amount.unit.as_deref()) {
                Truth::Met => {}
                // One administration may be measured in cells, volume or anything else.
                Truth::Unknown if amount.is_of_dosage && amount.unit.is_some() => {}
                Truth::NotMet if amount.is_of_dosage && amount.unit.is_none() => {
                    unclear.push(cited);
                }
                Truth::NotMet => again.push(cited),
                Truth::Unknown => unclear.push(cited),
            }
        }
        let own: Vec<&Coding> = codes(&order.products).collect();
        for line in order.lines.iter().filter(|line| line.sequence != order.sequence) {
            let same = line.products.iter().any(|product| (scene.product)(&product.concept));
            if !same {
                continue;
            }
            let cited = cite(&line.source, format!("line {} asks for it too", line.sequence));
            let another_day = line.date.is_some_and(|date| {
                date.on_or_before(service) == Truth::NotMet
                    || service.on_or_before(date) == Truth::NotMet
            });
            if another_day {
                again.push(cited);
            } else if codes(&line.products).any(|code| own.contains(&code))
                || is_order_apart(&line.source, &order.source)
            {
                unclear.push(cited);
            }
        }
    }

    /// The words of a text that speak of a further dose.
    fn speaks_of_another(&self, text: &str) -> Option<&str> {
        let lower = text.to_lowercase();
        let mut words = " ".to_owned();
        for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            words.push_str(word);
            words.push(' ');
        }
        let is_denied = |before: &str| {
            let last = before.rsplit(' ').next();
            last.is_some_and(|word| self.not_again_words.iter().any(|known| known == word))
        };
        let is_said = |phrase: &&String| {
            let found = words.match_indices(phrase.as_str());
            found.into_iter().any(|(at, _)| {
                let (before, from) = words.split_at(at);
                let after = from.get(phrase.len()..).unwrap_or_default();
                before.ends_with(' ') && after.starts_with(' ') && !is_denied(before.trim_end())
            })
        };
        self.again_words.iter().find(is_said).map(String::as_str)
    }

    /// Whether an amount is one dose.
    fn doses(&self, scene: &Scene<'_>, value: &str, unit: Option<&str>) -> Truth {
        let Ok(number) = value.parse::<f64>() else { return Truth::Unknown };
        let unit = unit.map(str::to_lowercase);
        let is_in = |units: &[String]| {
            unit.as_ref().is_some_and(|unit| units.iter().any(|known| known == unit))
        };
        if is_in(&self.other_units) {
            return Truth::Met;
        }
        // In a unit that nobody knows, a number says nothing of doses.
        let of_pieces = unit.is_none() || is_in(&self.piece_units);
        let counts = of_pieces || is_in(&self.dose_units) || is_in(&self.container_units);
        let whole = number.fract() == 0.0 && number >= 1.0;
        let pieces_are_containers =
            scene.case.order.products.iter().any(|product| self.containers.has(&product.concept));
        let counts_containers = is_in(&self.container_units) || of_pieces && pieces_are_containers;
        let is_one = (number - 1.0).abs() < f64::EPSILON;
        if is_one {
            Truth::Met
        } else if counts && number > f64::from(self.most_containers)
            || is_in(&self.dose_units) && number > 1.0
        {
            Truth::NotMet
        } else if whole && counts_containers {
            Truth::Met
        } else {
            Truth::Unknown
        }
    }
}
