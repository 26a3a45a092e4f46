//! What an order resource says: `MedicationRequest`, `ServiceRequest` and their like.
//!
//! The same reading serves a draft order of a hook and the requested service of a Claim's item.

use super::appointment;
use super::evidence::medication_code;
use super::people::{employer, prescriber, site};
use super::reader::{concept, concepts, extension, is_modified, source, span, when, word};
use super::subject::Subject;
use crate::facts::{
    Amount, FactId, Prescriber, Product, Reason, Repeat, Setting, Site, Source, SourceKind, Stated,
};
use crate::fhir::{Entry, Node, Pool};
use crate::terms::{Concept, Npi, System, Truth, When};

/// The resource types that are orders (crd.md 3.1).
pub const ORDER_TYPES: &[&str] = &[
    "CommunicationRequest",
    "DeviceRequest",
    "MedicationRequest",
    "NutritionOrder",
    "ServiceRequest",
    "VisionPrescription",
];

/// The parts of an order that an order resource can give.
#[derive(Debug, Default)]
pub struct OrderParts {
    /// The resource itself.
    pub is: Vec<FactId>,
    /// What is ordered.
    pub products: Vec<Product>,
    /// For when.
    pub occurrence: Option<Stated<When>>,
    /// When it was written.
    pub authored: Option<Stated<When>>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// By whom.
    pub prescriber: Option<Prescriber>,
    /// For which organization.
    pub ordered_for: Option<Npi>,
    /// Where.
    pub sites: Vec<Site>,
    /// In which setting.
    pub settings: Vec<Setting>,
    /// How much, from every place that says it.
    pub amounts: Vec<Amount>,
    /// Whether again.
    pub repeats: Vec<Repeat>,
    /// The words of instructions and notes.
    pub instructions: Vec<Stated<Box<str>>>,
}

/// Reads the order at `place`; `encounter` is the encounter of the call, for orders that name none.
#[must_use]
pub fn order_parts(
    pool: &Pool<'_>,
    place: usize,
    encounter: Option<usize>,
    subject: &Subject,
) -> OrderParts {
    let Some(entry) = pool.entry(place) else { return OrderParts::default() };
    let reader = OrderReader { pool, place, entry, node: entry.node };
    let own_encounter =
        entry.node.get("encounter").and_then(|reference| pool.follow(reference, place));
    let (mut sites, mut settings) = (reader.sites(), reader.settings());
    let mut occurrence = reader.occurrence();
    if entry.kind == "Appointment" {
        occurrence = appointment::start(pool, place);
        sites.extend(appointment::sites(pool, place));
    }
    if let Some(encounter) = own_encounter.or(encounter) {
        let day = occurrence.as_ref().map(|stated| stated.value);
        if is_the_stay(pool, encounter, subject, day) {
            read_encounter(pool, encounter, &mut sites, &mut settings);
        }
    }
    OrderParts {
        is: vec![FactId(place)],
        products: reader.products(),
        occurrence,
        authored: when(entry.node.get("authoredOn"))
            .map(|value| Stated { value, source: reader.at("authoredOn") }),
        reasons: reader.reasons(),
        prescriber: entry
            .node
            .get("requester")
            .map(|requester| prescriber(pool, requester, place, reader.at("requester"))),
        ordered_for: entry.node.get("requester").and_then(|it| employer(pool, it, place)),
        sites,
        settings,
        amounts: reader.amounts(),
        repeats: reader.repeats(),
        instructions: reader.instructions(),
    }
}

/// Whether the order at `place` stands and is this patient's.
///
/// # Errors
/// Why it asks for nothing for this patient.
pub fn stands(
    pool: &Pool<'_>,
    place: usize,
    subject: &Subject,
    names_nobody: NamesNobody,
) -> Result<(), &'static str> {
    let Some(entry) = pool.entry(place) else { return Ok(()) };
    let node = entry.node;
    let about =
        node.get("subject").or_else(|| node.get("patient")).or_else(|| appointment::patient(node));
    if node.get("doNotPerform").and_then(Node::boolean) == Some(true) {
        return Err("says that it is not to be carried out");
    }
    match node.text_of("status").as_deref() {
        Some("cancelled" | "revoked" | "stopped" | "ended" | "entered-in-error") => {
            return Err("says that it is not to be carried out");
        }
        // clinical.md 4.2: a completed order has probably been given already.
        Some("completed") => return Err("says that it has been carried out already"),
        Some("on-hold" | "unknown") => return Err("does not say that it is in force"),
        Some(_) | None => {}
    }
    if is_modified(node) {
        return Err("carries a modifier that may turn it into its opposite");
    }
    match (about, names_nobody) {
        // An order of a Claim that names nobody is the Claim's patient's.
        (None, NamesNobody::IsFine) => Ok(()),
        (about, _) => subject.is_meant(pool, about, place),
    }
}

/// What an order that does not say for whom it is means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesNobody {
    /// It is for the patient of the Claim that asks for it.
    IsFine,
    /// It cannot be told.
    IsDoubtful,
}

/// An inpatient Encounter says where and in which setting (rulings 24); another says nothing of
/// the infusion, since the order is often written in an outpatient visit.
pub fn read_encounter(
    pool: &Pool<'_>,
    place: usize,
    sites: &mut Vec<Site>,
    settings: &mut Vec<Setting>,
) {
    let Some(entry) = pool.entry(place) else { return };
    let class = concept(entry.node.get("class"));
    let is_inpatient = class
        .codings
        .iter()
        .any(|coding| coding.system == System::ActCode && &*coding.code == "IMP");
    if !is_inpatient || entry.kind != "Encounter" || is_modified(entry.node) {
        return;
    }
    let at = |element: &'static str| source(entry, element, SourceKind::Record);
    settings.push(Setting { concept: class, source: at("Encounter.class") });
    let provider = entry.node.get("serviceProvider");
    sites.extend(provider.and_then(|reference| {
        site(pool, reference, place, true, &at("Encounter.serviceProvider"))
    }));
}

/// Whether an Encounter can be the stay of the service: the patient's, not called off, and not over
/// before the service or begun after it.
#[must_use]
pub fn is_the_stay(
    pool: &Pool<'_>,
    place: usize,
    subject: &Subject,
    service: Option<When>,
) -> bool {
    let Some(entry) = pool.entry(place) else { return false };
    let about = entry.node.get("subject");
    if about.is_some() && subject.is_meant(pool, about, place).is_err() {
        return false;
    }
    let period = span(entry.node.get("period"));
    let lies_apart = service.is_some_and(|service| {
        period.end.is_some_and(|end| end.before(service) == Truth::Met)
            || period.start.is_some_and(|start| service.before(start) == Truth::Met)
    });
    match entry.node.text_of("status").as_deref() {
        Some("cancelled" | "entered-in-error") => false,
        // What is over, and does not say when, is not what is to come.
        Some("finished") if period.end.is_none() => false,
        Some(_) | None => !lies_apart,
    }
}

struct OrderReader<'p, 'd> {
    pool: &'p Pool<'d>,
    place: usize,
    entry: &'p Entry<'d>,
    node: Node<'d>,
}

impl<'d> OrderReader<'_, 'd> {
    fn at(&self, element: &str) -> Source {
        source(self.entry, format!("{}.{element}", self.entry.kind), SourceKind::Request)
    }

    fn products(&self) -> Vec<Product> {
        let mut products = Vec::new();
        let whole = |concept, source| Product { concept, is_part: false, source };
        let medication = medication_code(self.pool, self.node, self.place);
        if !medication.codings.is_empty() || medication.text.is_some() {
            products.push(whole(medication, self.at("medication[x]")));
        }
        // An Appointment without an order says what it is for by its service type.
        for name in ["code", "codeCodeableConcept", "serviceType"] {
            let coded = self.node.each(name);
            products.extend(coded.map(|code| whole(concept(Some(code)), self.at(name))));
        }
        let coded = ["medicationCodeableConcept", "code", "codeCodeableConcept", "serviceType"];
        for billing in coded
            .iter()
            .flat_map(|name| self.node.each(name))
            .filter_map(|code| extension(code, "ext-billing-options"))
        {
            let concept = concept(billing.get("valueCodeableConcept"));
            products.push(whole(concept, self.at("extension")));
        }
        products
    }

    fn timings(&self) -> Vec<(Node<'d>, &'static str)> {
        let dosage = self.node.each("dosageInstruction").filter_map(|dosage| dosage.get("timing"));
        dosage
            .map(|timing| (timing, "dosageInstruction.timing"))
            .chain(self.node.get("occurrenceTiming").map(|timing| (timing, "occurrenceTiming")))
            .collect()
    }

    fn occurrence(&self) -> Option<Stated<When>> {
        let plain = [("occurrenceDateTime", when(self.node.get("occurrenceDateTime")))];
        let period = [("occurrencePeriod", span(self.node.get("occurrencePeriod")).any_date())];
        let timed = self.timings().into_iter().map(|(timing, element)| {
            let event = timing.each("event").find_map(|event| when(Some(event)));
            let bounds = timing.at(&["repeat", "boundsPeriod"]);
            (element, event.or_else(|| span(bounds).start))
        });
        plain
            .into_iter()
            .chain(period)
            .chain(timed)
            .find_map(|(element, date)| Some(Stated { value: date?, source: self.at(element) }))
    }

    fn reasons(&self) -> Vec<Reason> {
        let coded = concepts(self.node, "reasonCode").map(|concept| Reason {
            concept,
            condition: None,
            source: self.at("reasonCode"),
        });
        let referenced = self.node.each("reasonReference").map(|reference| {
            let place = self.pool.follow(reference, self.place);
            Reason {
                concept: crate::terms::Concept {
                    codings: Vec::new(),
                    text: word(reference, "display"),
                },
                condition: place.map(FactId),
                source: self.at("reasonReference"),
            }
        });
        coded.chain(referenced).collect()
    }

    fn sites(&self) -> Vec<Site> {
        let at = |reference: Node<'d>, element: &str| {
            site(self.pool, reference, self.place, true, &self.at(element))
        };
        let locations = self.node.each("locationReference");
        let mut sites: Vec<Site> =
            locations.filter_map(|reference| at(reference, "locationReference")).collect();
        if self.entry.kind == "ServiceRequest" {
            let is_organization = |reference: &Node<'d>| {
                let found = self.pool.follow(*reference, self.place);
                found
                    .and_then(|place| self.pool.entry(place))
                    .is_some_and(|entry| entry.kind == "Organization")
            };
            let performers = self.node.each("performer").filter(is_organization);
            sites.extend(performers.filter_map(|reference| at(reference, "performer")));
        }
        sites
    }

    fn settings(&self) -> Vec<Setting> {
        let codes = concepts(self.node, "locationCode")
            .map(|concept| Setting { concept, source: self.at("locationCode") });
        // CRD 2.2: the encounter type is one of the order's categories.
        let categories = concepts(self.node, "category")
            .filter(|concept| concept.codings.iter().any(|coding| coding.system == System::ActCode))
            .map(|concept| Setting { concept, source: self.at("category") });
        codes.chain(categories).collect()
    }

    fn amounts(&self) -> Vec<Amount> {
        let whole = [
            (self.node.at(&["dispenseRequest", "quantity"]), "dispenseRequest.quantity"),
            (self.node.get("quantityQuantity"), "quantityQuantity"),
        ];
        let whole = whole.into_iter().filter_map(|(node, at)| amount(node?, self.at(at)));
        let element = "dosageInstruction.doseAndRate.dose[x]";
        let doses = self
            .node
            .each("dosageInstruction")
            .flat_map(|dosage| dosage.each("doseAndRate").collect::<Vec<_>>())
            .filter_map(|dose| dose.get("doseQuantity").or_else(|| dose.at(&["doseRange", "high"])))
            .filter_map(|node| amount(node, self.at(element)))
            .map(|amount| Amount { is_of_dosage: true, ..amount });
        whole.chain(doses).collect()
    }

    fn instructions(&self) -> Vec<Stated<Box<str>>> {
        let words = [("dosageInstruction", "dosageInstruction.text"), ("note", "note.text")];
        let texts = words.into_iter().flat_map(|(name, element)| {
            let texts = self.node.each(name).filter_map(|it| word(it, "text"));
            texts.map(|value| Stated { value, source: self.at(element) }).collect::<Vec<_>>()
        });
        texts.collect()
    }

    fn repeats(&self) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        let number = |node: Option<Node<'_>>| {
            node.and_then(Node::number).and_then(|number| number.parse::<f64>().ok())
        };
        let refills = number(self.node.at(&["dispenseRequest", "numberOfRepeatsAllowed"]));
        if refills.is_some_and(|refills| refills > 0.0) {
            repeats.push(Repeat {
                words: "repeats are allowed".to_owned(),
                is_certain: true,
                source: self.at("dispenseRequest.numberOfRepeatsAllowed"),
            });
        }
        // Each dosage instruction may name a day of its own.
        let mut days = std::collections::BTreeSet::new();
        for (timing, element) in self.timings() {
            let events = timing.each("event").filter_map(|event| when(Some(event)));
            days.extend(events.map(When::first));
            let repeat = timing.get("repeat");
            let most = |name: &str| number(repeat.and_then(|repeat| repeat.get(name)));
            let count = most("countMax").or(most("count"));
            let cycles =
                repeat.is_some_and(|repeat| repeat.get_any(&["period", "frequency"]).is_some());
            let (is_repeated, is_certain) = match count {
                Some(count) => (count > 1.0, true),
                None => (cycles, false),
            };
            if days.len() > 1 || is_repeated {
                repeats.push(Repeat {
                    words: "more than one date or a repeating schedule".to_owned(),
                    is_certain: days.len() > 1 || is_certain,
                    source: self.at(element),
                });
            }
        }
        repeats
    }
}

/// A Quantity as an amount.
#[must_use]
pub fn amount(node: Node<'_>, source: Source) -> Option<Amount> {
    let value = node.get("value")?.number()?;
    let comparator = node.text_of("comparator").unwrap_or_default();
    Some(Amount {
        value: format!("{comparator}{value}").into(),
        unit: word(node, "unit").or_else(|| word(node, "code")),
        is_of_dosage: false,
        source,
    })
}

/// How much an order asks for, where it says so itself.
#[must_use]
pub fn ordered_amount(order: Node<'_>) -> Option<f64> {
    let quantity =
        order.get("quantityQuantity").or_else(|| order.at(&["dispenseRequest", "quantity"]));
    quantity?.get("value")?.number()?.parse().ok()
}

/// What an order orders, by the codes that stand in itself.
#[must_use]
pub fn ordered(order: Node<'_>) -> Concept {
    let names = ["code", "medicationCodeableConcept", "codeCodeableConcept"];
    concept(order.get_any(&names).map(|(_, node)| node))
}
