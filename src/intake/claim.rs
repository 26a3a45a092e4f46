//! A Claim's items as orders.

use std::sync::Arc;

use super::coverage::standing;
use super::order::{
    NamesNobody, OrderParts, amount, is_the_stay, order_parts, read_encounter, stands,
};
use super::people::{add_specialty, prescriber, site};
use super::reader::{concept, extension, is_modified, source, span, when};
use super::subject::Subject;
use crate::facts::{
    CoverageStanding, DateOrigin, Line, Membership, Order, Prescriber, Product, Reason, Repeat,
    ServiceDate, Setting, Site, Source, SourceKind, Specialty, Stated, Unusable,
};
use crate::fhir::{Entry, Node, Pool};
use crate::policy::Plan;
use crate::terms::{Concept, Day, When};

/// An item of a Claim, ready to be judged.
#[derive(Debug)]
pub struct Item {
    /// What is asked for.
    pub order: Order,
    /// Whether the Claim's coverage is usable on the item's day.
    pub coverage: CoverageStanding,
    /// Further usable coverages of ours; of a Claim none.
    pub further: Vec<Membership>,
}

/// Reads all items of the Claim at `place`.
#[must_use]
pub fn items(
    pool: &Pool<'_>,
    place: usize,
    subject: &Subject,
    plan: &Plan,
    as_of: Day,
) -> Vec<Item> {
    let Some(entry) = pool.entry(place) else { return Vec::new() };
    let reader = ClaimReader { pool, place, entry, claim: entry.node, subject, as_of };
    let lines: Vec<Node<'_>> = entry.node.each("item").collect();
    let mut orders: Vec<Order> =
        lines.iter().enumerate().map(|(index, item)| reader.order(*item, index)).collect();
    let all: Arc<[Line]> = orders.iter().map(as_line).collect();
    for order in &mut orders {
        order.lines = Arc::clone(&all);
    }
    let coverages = reader.coverages();
    let items = orders.into_iter().zip(&lines).map(|(order, item)| {
        let day = order.service_date.when;
        let coverage = match reader.order_stands(*item) {
            Ok(()) => standing(pool, &coverages, subject, plan, day),
            Err(why) => {
                let why = format!("the requested order {why}");
                CoverageStanding::Unusable(Unusable::nothing(why))
            }
        };
        Item { order, coverage, further: Vec::new() }
    });
    items.collect()
}

/// An order as another order of the same request sees it.
#[must_use]
pub fn as_line(order: &Order) -> Line {
    let has_own_date = !matches!(order.service_date.origin, DateOrigin::Request | DateOrigin::AsOf);
    Line {
        sequence: order.sequence,
        products: order.products.clone(),
        date: has_own_date.then_some(order.service_date.when),
        source: order.source.clone(),
    }
}

/// Diagnosis codes of a Claim: mentions, which prove nothing by themselves.
#[must_use]
pub fn mentions(pool: &Pool<'_>, place: usize) -> Vec<(Concept, Source)> {
    let Some(entry) = pool.entry(place) else { return Vec::new() };
    let codes = entry.node.each("diagnosis").enumerate().filter_map(|(index, diagnosis)| {
        let code = diagnosis.get("diagnosisCodeableConcept")?;
        let element = format!("Claim.diagnosis[{index}].diagnosisCodeableConcept");
        Some((concept(Some(code)), source(entry, element, SourceKind::Request)))
    });
    codes.collect()
}

struct ClaimReader<'p, 'd> {
    pool: &'p Pool<'d>,
    place: usize,
    entry: &'p Entry<'d>,
    claim: Node<'d>,
    subject: &'p Subject,
    as_of: Day,
}

/// The numbers that an item lists under `name`, such as `careTeamSequence`.
fn sequences(item: Node<'_>, name: &str) -> Vec<String> {
    item.each(name).filter_map(|number| number.number().map(str::to_owned)).collect()
}

fn sequence_of(node: Node<'_>) -> Option<&str> {
    node.get("sequence").and_then(Node::number)
}

impl<'d> ClaimReader<'_, 'd> {
    fn at(&self, element: impl Into<std::borrow::Cow<'static, str>>) -> Source {
        source(self.entry, element, SourceKind::Request)
    }

    /// The order that an item says it asks for.
    fn requested(&self, item: Node<'d>) -> Option<usize> {
        let extension = extension(item, "extension-requestedService")?;
        self.pool.follow(extension.get("valueReference")?, self.place)
    }

    /// An order that was called off or written for somebody else asks for nothing for this patient.
    fn order_stands(&self, item: Node<'d>) -> Result<(), &'static str> {
        if is_modified(item) || is_modified(self.claim) {
            return Err("is called off, or carries a modifier that may turn it into its opposite");
        }
        let Some(place) = self.requested(item) else { return Ok(()) };
        stands(self.pool, place, self.subject, NamesNobody::IsFine)
    }

    fn order(&self, item: Node<'d>, index: usize) -> Order {
        let mut parts = self
            .requested(item)
            .map(|place| order_parts(self.pool, place, None, self.subject))
            .unwrap_or_default();
        let (mut sites, mut settings) = self.places(item, index);
        sites.append(&mut parts.sites);
        settings.append(&mut parts.settings);
        let mut products = self.products(item, index);
        products.append(&mut parts.products);
        let mut reasons = self.reasons(item);
        reasons.append(&mut parts.reasons);
        let requested_on = self.requested_on(&parts);
        Order {
            sequence: sequence_of(item)
                .and_then(|number| number.parse().ok())
                .unwrap_or_else(|| u32::try_from(index + 1).unwrap_or(u32::MAX)),
            source: self.at(format!("Claim.item[{index}]")),
            is: parts.is,
            products,
            service_date: self.service_date(item, index, parts.occurrence.as_ref(), &requested_on),
            requested_on,
            reasons,
            ordered_for: None,
            prescriber: self.prescriber(item, parts.prescriber.take()),
            sites,
            settings,
            amounts: item
                .get("quantity")
                .and_then(|quantity| {
                    amount(quantity, self.at(format!("Claim.item[{index}].quantity")))
                })
                .into_iter()
                .chain(parts.amounts)
                .collect(),
            instructions: parts.instructions,
            repeats: parts.repeats.into_iter().chain(self.amounts_of_parts(item, index)).collect(),
            lines: Arc::default(),
        }
    }

    fn products(&self, item: Node<'d>, index: usize) -> Vec<Product> {
        let element = format!("Claim.item[{index}].productOrService");
        let details = parts_of(item, index)
            .into_iter()
            .map(|(node, element)| (node, format!("{element}.productOrService"), true));
        std::iter::once((item, element, false))
            .chain(details)
            .filter_map(|(node, element, is_part)| {
                let concept = concept(Some(node.get("productOrService")?));
                Some(Product { concept, is_part, source: self.at(element) })
            })
            .collect()
    }

    /// Parts of an item with an amount other than one may be more than one dose.
    fn amounts_of_parts(&self, item: Node<'d>, index: usize) -> Vec<Repeat> {
        let amounts = parts_of(item, index).into_iter().filter_map(|(node, element)| {
            amount(node.get("quantity")?, self.at(format!("{element}.quantity")))
        });
        amounts
            .filter(|amount| amount.value.parse::<f64>().ok() != Some(1.0))
            .map(|amount| Repeat {
                words: format!("a part of the item in the amount {}", amount.value),
                is_certain: false,
                source: amount.source,
            })
            .collect()
    }

    fn requested_on(&self, parts: &OrderParts) -> Stated<When> {
        let created = when(self.claim.get("created"));
        match (created, &parts.authored) {
            (Some(value), _) => Stated { value, source: self.at("Claim.created") },
            (None, Some(authored)) => authored.clone(),
            (None, None) => Stated { value: When::from(self.as_of), source: self.at("Claim") },
        }
    }

    /// clinical.md 2: the item, else the admission, else the order, else the request.
    fn service_date(
        &self,
        item: Node<'d>,
        index: usize,
        occurrence: Option<&Stated<When>>,
        requested_on: &Stated<When>,
    ) -> ServiceDate {
        let serviced =
            when(item.get("servicedDate")).or(span(item.get("servicedPeriod")).any_date());
        if let Some(when) = serviced {
            let element = format!("Claim.item[{index}].serviced[x]");
            return ServiceDate { when, origin: DateOrigin::Item, source: self.at(element) };
        }
        if let Some((when, element)) = self.admission() {
            return ServiceDate { when, origin: DateOrigin::Admission, source: self.at(element) };
        }
        if let Some(stated) = occurrence {
            let source = stated.source.clone();
            return ServiceDate { when: stated.value, origin: DateOrigin::Order, source };
        }
        let is_dated = self.claim.get("created").is_some();
        ServiceDate {
            when: requested_on.value,
            origin: if is_dated { DateOrigin::Request } else { DateOrigin::AsOf },
            source: requested_on.source.clone(),
        }
    }

    fn admission(&self) -> Option<(When, String)> {
        self.claim.each("supportingInfo").enumerate().find_map(|(index, info)| {
            let is_admission = info
                .get("category")?
                .each("coding")
                .any(|coding| coding.text_of("code").as_deref() == Some("admissionDates"));
            let date = when(info.get("timingDate")).or(span(info.get("timingPeriod")).any_date());
            is_admission.then_some((date?, format!("Claim.supportingInfo[{index}].timing[x]")))
        })
    }

    fn reasons(&self, item: Node<'d>) -> Vec<Reason> {
        let wanted = sequences(item, "diagnosisSequence");
        let diagnoses = self.claim.each("diagnosis").enumerate().filter(|(_, diagnosis)| {
            wanted.is_empty()
                || sequence_of(*diagnosis).is_some_and(|own| wanted.iter().any(|it| it == own))
        });
        diagnoses
            .map(|(index, diagnosis)| {
                let reference = diagnosis.get("diagnosisReference");
                let place = reference.and_then(|it| self.pool.follow(it, self.place));
                Reason {
                    concept: concept(diagnosis.get("diagnosisCodeableConcept")),
                    condition: place.map(crate::facts::FactId),
                    source: self.at(format!("Claim.diagnosis[{index}]")),
                }
            })
            .collect()
    }

    /// Members of the care team that belong to the item: those that it lists, and those whose
    /// scope is the whole Claim; if it lists none, all.
    fn care_team(&self, item: Node<'d>) -> Vec<(usize, Node<'d>)> {
        let wanted = sequences(item, "careTeamSequence");
        let belongs = |member: &Node<'d>| {
            let listed = sequence_of(*member).is_some_and(|own| wanted.iter().any(|it| it == own));
            let whole = extension(*member, "extension-careTeamClaimScope")
                .and_then(|extension| extension.get("valueBoolean")?.boolean());
            wanted.is_empty() || listed || whole == Some(true)
        };
        self.claim.each("careTeam").enumerate().filter(|(_, member)| belongs(member)).collect()
    }

    /// Who prescribes (clinical.md 3, rulings 24): the care team's ordering member, else the requester
    /// of the requested service; a member without a role is nobody who orders.
    ///
    /// What the care team states of the requester's specialty counts as the requester's.
    fn prescriber(&self, item: Node<'d>, requester: Option<Prescriber>) -> Option<Prescriber> {
        let people = self.people(item);
        let has_role =
            |member: Node<'d>, role: &str| role_codes(member).iter().any(|it| it == role);
        // X12 98 `DK`, ordering physician; else HL7's `primary`, the provider who is responsible.
        let has_physician = people.iter().any(|(_, member)| has_role(*member, "DK"));
        let role = if has_physician { "DK" } else { "primary" };
        let mut ordering_ones = people.iter().filter(|(_, member)| has_role(*member, role));
        let ordering = ordering_ones.next();
        // Two who order are no prescriber: neither the first nor the better one is chosen.
        let person = |member: &(usize, Node<'d>)| self.member(member.0, member.1)?.person;
        if ordering_ones.any(|other| ordering.and_then(person) != person(other)) {
            return None;
        }
        let read = |(index, member): &(usize, Node<'d>)| self.member(*index, *member);
        let Some(mut requester) = requester else { return ordering.and_then(read) };
        let same =
            |member: &Prescriber| member.person.is_some() && member.person == requester.person;
        if let Some(other) = ordering.and_then(read).filter(|member| !same(member)) {
            return Some(other);
        }
        let own = people.iter().filter_map(read).filter(|member| same(member));
        let stated: Vec<Specialty> = own.flat_map(|member| member.specialties).collect();
        for specialty in stated {
            if !requester.specialties.iter().any(|known| known.source == specialty.source) {
                requester.specialties.push(specialty);
            }
        }
        Some(requester)
    }

    /// The members of the care team who are persons.
    fn people(&self, item: Node<'d>) -> Vec<(usize, Node<'d>)> {
        let is_person = |member: &Node<'d>| {
            let kind = self.kind_of(member.get("provider"));
            matches!(kind.as_deref(), Some("Practitioner" | "PractitionerRole"))
        };
        self.care_team(item).into_iter().filter(|(_, member)| is_person(member)).collect()
    }

    fn member(&self, index: usize, member: Node<'d>) -> Option<Prescriber> {
        let at = |element: &str| self.at(format!("Claim.careTeam[{index}].{element}"));
        let provider = member.get("provider")?;
        let mut named = prescriber(self.pool, provider, self.place, at("provider"));
        add_specialty(&mut named, member.get("qualification"), at("qualification"));
        Some(named)
    }

    /// The resource type that a reference leads to, or says it leads to.
    fn kind_of(&self, reference: Option<Node<'d>>) -> Option<String> {
        let reference = reference?;
        let found =
            self.pool.follow(reference, self.place).and_then(|place| self.pool.entry(place));
        found.map(|entry| entry.kind.clone().into_owned()).or_else(|| {
            let text = reference.text_of("reference")?;
            text.rsplit('/').nth(1).map(str::to_owned)
        })
    }

    fn places(&self, item: Node<'d>, index: usize) -> (Vec<Site>, Vec<Setting>) {
        let mut sites = Vec::new();
        let mut settings = Vec::new();
        let mut push = |reference: Option<Node<'d>>, is_named: bool, element: String| {
            let found = reference
                .and_then(|it| site(self.pool, it, self.place, is_named, &self.at(element)));
            sites.extend(found);
        };
        push(item.get("locationReference"), true, format!("Claim.item[{index}].locationReference"));
        push(self.claim.get("facility"), true, "Claim.facility".to_owned());
        for (place, member) in self.care_team(item) {
            // clinical.md 6: the clinic of the one who orders or refers is not the infusion site.
            if role_codes(member).iter().any(|code| matches!(&**code, "DK" | "DN" | "P3")) {
                continue;
            }
            let provider = member.get("provider");
            let kind = self.kind_of(provider);
            if matches!(kind.as_deref(), Some("Organization" | "Location")) {
                push(provider, true, format!("Claim.careTeam[{place}].provider"));
            }
        }
        push(self.claim.get("provider"), false, "Claim.provider".to_owned());
        if let Some(code) = item.get("locationCodeableConcept") {
            settings.push(Setting {
                concept: concept(Some(code)),
                source: self.at(format!("Claim.item[{index}].locationCodeableConcept")),
            });
        }
        let encounter = extension(self.claim, "extension-Claim.encounter")
            .and_then(|extension| self.pool.follow(extension.get("valueReference")?, self.place));
        let serviced =
            when(item.get("servicedDate")).or(span(item.get("servicedPeriod")).any_date());
        if let Some(encounter) =
            encounter.filter(|at| is_the_stay(self.pool, *at, self.subject, serviced))
        {
            read_encounter(self.pool, encounter, &mut sites, &mut settings);
        }
        (sites, settings)
    }

    /// The coverage under which the Claim is to be judged: the focal one; where none is said to be,
    /// each that the Claim names (rulings 10).
    fn coverages(&self) -> Vec<usize> {
        let is_focal = |entry: &Node<'d>| entry.get("focal").and_then(Node::boolean) == Some(true);
        let has_focal = self.claim.each("insurance").any(|entry| is_focal(&entry));
        let counted = self.claim.each("insurance").filter(|it| !has_focal || is_focal(it));
        let references = counted.filter_map(|entry| entry.get("coverage"));
        references.filter_map(|reference| self.pool.follow(reference, self.place)).collect()
    }
}

fn role_codes(member: Node<'_>) -> Vec<std::borrow::Cow<'_, str>> {
    let codings = member.get("role").into_iter().flat_map(|role| role.each("coding"));
    codings.filter_map(|coding| coding.text_of("code")).collect()
}

/// The details of an item and theirs, each with its FHIRPath.
fn parts_of(item: Node<'_>, index: usize) -> Vec<(Node<'_>, String)> {
    let mut parts = Vec::new();
    for (at, detail) in item.each("detail").enumerate() {
        let element = format!("Claim.item[{index}].detail[{at}]");
        let below = detail.each("subDetail").enumerate();
        parts.extend(below.map(|(at, node)| (node, format!("{element}.subDetail[{at}]"))));
        parts.push((detail, element));
    }
    parts
}
