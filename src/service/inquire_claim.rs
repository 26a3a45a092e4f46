//! `Claim/$inquire`: what became of requests, for whoever may know (PAS 2.8).
//!
//! Query by example. A number alone shows nothing: the member id and the NPI of a provider of the
//! case have to be right (rulings 34; PAS 2.2.1 spec-52, spec-53).

use super::answering::Saying;
use super::submit_claim::SubmitError;
use super::update::our_numbers;
use super::world::instant;
use super::{Service, ServiceError};
use crate::fhir::{Document, Node, Rules};
use crate::ig::PasVersion;
use crate::intake::coverage;
use crate::intake::pas_request::{Line, PasRequest, Profile};
use crate::intake::reader::{concept, extensions, npi, span, when};
use crate::render::pas::AnswerTo;
use crate::store::{CaseFile, CaseState};
use crate::terms::{Coding, Concept, Npi, Span, Truth};

/// At most so many of a member's cases are looked at, the newest first.
const MOST_CASES: u32 = 50;
/// "Any service" (PAS 2.2.1 spec-43).
const NOT_APPLICABLE: &str = "not-applicable";

/// What an inquiry looks for.
#[derive(Debug)]
struct Example {
    members: Vec<String>,
    providers: Vec<Npi>,
    /// Numbers of ours; a case that has one of them, now or before.
    numbers: Vec<String>,
    /// Services, one of which a case has to ask for; none: any.
    services: Vec<Coding>,
    /// Diagnoses, one of which a case has to name; none: any.
    diagnoses: Vec<Coding>,
    /// Days of service, one of which a case has to touch; none: any.
    days: Vec<Span>,
    /// What was done with a line; none: anything.
    actions: Vec<String>,
}

impl Service {
    /// Answers an inquiry: in 2.0.1 with one Bundle, in 2.2.1 with Parameters.
    ///
    /// # Errors
    /// The request is refused with all its faults, or something of ours failed.
    pub async fn inquire_claim(
        &self,
        version: PasVersion,
        body: &[u8],
    ) -> Result<String, SubmitError> {
        let document = Document::parse(body, Rules::Fhir).map_err(SubmitError::Unreadable)?;
        let request =
            PasRequest::read(&document, Profile::Inquiry).map_err(SubmitError::Refused)?;
        let example = Example::of(&request);
        let cases = self.matching(&example).await?;
        let documents: Vec<_> = cases
            .iter()
            .map(|case| Document::parse(case.submission.body.as_bytes(), Rules::Fhir))
            .collect();
        let mut answers = Vec::new();
        for (case, document) in cases.iter().zip(&documents) {
            let readable = document.as_ref().ok();
            let asked = readable.and_then(|it| PasRequest::read(it, Profile::Common).ok());
            let Some(asked) = asked else {
                tracing::error!(case = %case.summary.case_id, "a stored submission cannot be read");
                continue;
            };
            if self.is_shown(case) && example.fits(case, &asked) {
                answers.push((case, asked));
            }
        }
        Ok(self.render_found(version, &answers)?)
    }

    /// What waits is shown however old it is; what is decided, for as long as the plan says.
    fn is_shown(&self, case: &CaseFile) -> bool {
        let age = self.world.now().duration_since(case.summary.changed_at).unsigned_abs();
        case.state == CaseState::Pended || age < self.terms.inquiry_retention
    }

    fn render_found(
        &self,
        version: PasVersion,
        found: &[(&CaseFile, PasRequest<'_>)],
    ) -> Result<String, ServiceError> {
        let sayings: Vec<Saying<'_>> = found
            .iter()
            .map(|(case, _)| Saying {
                version,
                to: AnswerTo::Inquiry,
                lines: &case.lines,
                refusal: None,
            })
            .collect();
        let asked = found.iter().map(|(_, asked)| asked);
        let head = (self.world.new_id(), instant(self.world.now()));
        self.render_all(version, asked.zip(&sayings).collect(), (&head.0, &head.1))
    }

    /// The cases that the example's member and numbers lead to; whether they fit is looked at next.
    async fn matching(&self, example: &Example) -> Result<Vec<CaseFile>, ServiceError> {
        let mut ids = Vec::new();
        if example.numbers.is_empty() {
            for member in &example.members {
                ids.extend(self.store.cases_of(member, MOST_CASES).await?);
            }
        }
        for number in &example.numbers {
            ids.extend(self.store.case_of_number(number).await?);
        }
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        let mut cases = Vec::new();
        for id in &ids {
            cases.extend(self.store.case(id).await?);
        }
        Ok(cases)
    }
}

impl Example {
    fn of(request: &PasRequest<'_>) -> Example {
        let claim = request.pool.entry(request.claim).map(|entry| entry.node);
        let services = request
            .lines
            .iter()
            .flat_map(|line| concept(line.node.get("productOrService")).codings)
            .filter(|coding| &*coding.code != NOT_APPLICABLE);
        let actions = request.lines.iter().flat_map(|line| {
            let codes = extensions(line.node, "extension-reviewActionCode");
            codes.flat_map(|code| concept(code.get("valueCodeableConcept")).codings)
        });
        let whole = claim.and_then(|claim| claim.get("billablePeriod"));
        let days = request.lines.iter().filter_map(serviced).chain(whole.map(|it| span(Some(it))));
        Example {
            members: members(request),
            providers: providers(request),
            numbers: claim.map(|claim| our_numbers(request, claim)).unwrap_or_default(),
            services: services.collect(),
            diagnoses: diagnoses(request),
            days: days.collect(),
            actions: actions.map(|coding| coding.code.into()).collect(),
        }
    }

    /// Whether the inquirer may know of a case, and asks for it.
    fn fits(&self, case: &CaseFile, asked: &PasRequest<'_>) -> bool {
        let may_know = self.members.contains(&case.summary.member_id)
            && providers(asked).iter().any(|npi| self.providers.contains(npi));
        let any_of = |wanted: &[Coding], there: &[Coding]| {
            wanted.is_empty() || there.iter().any(|coding| wanted.contains(coding))
        };
        let services: Vec<Coding> = asked.lines.iter().flat_map(|line| service(line)).collect();
        let touches = |day: &Span| {
            asked.lines.iter().any(|line| serviced(line).is_none_or(|other| overlap(*day, other)))
        };
        let acted = |code: &String| case.lines.iter().any(|line| line.review_action == *code);
        may_know
            && !case.lines.is_empty()
            && any_of(&self.services, &services)
            && any_of(&self.diagnoses, &diagnoses(asked))
            && (self.days.is_empty() || self.days.iter().any(touches))
            && (self.actions.is_empty() || self.actions.iter().any(acted))
    }
}

fn service(line: &Line<'_>) -> Vec<Coding> {
    let concept: Concept = concept(line.node.get("productOrService"));
    concept.codings
}

fn serviced(line: &Line<'_>) -> Option<Span> {
    let day =
        when(line.node.get("servicedDate")).map(|day| Span { start: Some(day), end: Some(day) });
    day.or_else(|| Some(span(Some(line.node.get("servicedPeriod")?))))
}

/// Whether two periods may have a day in common; an open end reaches as far as it must.
fn overlap(one: Span, other: Span) -> bool {
    let ends_before = |one: Span, other: Span| match (one.end, other.start) {
        (Some(end), Some(start)) => end.before(start) == Truth::Met,
        (_, _) => false,
    };
    !ends_before(one, other) && !ends_before(other, one)
}

/// Member ids: of the coverages, and of the patient's identifiers of type MB (PAS trap T14).
fn members(request: &PasRequest<'_>) -> Vec<String> {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    let insurance = claim.into_iter().flat_map(|claim| claim.each("insurance").collect::<Vec<_>>());
    let coverages = insurance
        .filter_map(|entry| request.pool.follow(entry.get("coverage")?, request.claim))
        .filter_map(|place| request.pool.entry(place))
        .filter_map(|entry| coverage::member_id(entry.node));
    let patient = request.patient.place.and_then(|place| request.pool.entry(place));
    let own = patient.into_iter().filter_map(|entry| coverage::member_number(entry.node));
    coverages.chain(own).map(String::from).collect()
}

/// NPIs of those who ask for or give the services: `Claim.provider` and the care team, with the
/// people and organizations behind a role (PAS trap T36).
fn providers(request: &PasRequest<'_>) -> Vec<Npi> {
    let pool = &request.pool;
    let claim = pool.entry(request.claim).map(|entry| entry.node);
    let team = claim.into_iter().flat_map(|claim| claim.each("careTeam").collect::<Vec<_>>());
    let team = team.filter_map(|member| member.get("provider"));
    let named = claim.and_then(|claim| claim.get("provider")).into_iter().chain(team);
    let mut found = Vec::new();
    for reference in named {
        let own = reference.get("identifier").and_then(|identifier| {
            let value = identifier.text_of("value")?;
            Npi::parse(&value).ok()
        });
        found.extend(own);
        let Some(place) = pool.follow(reference, request.claim) else { continue };
        let Some(entry) = pool.entry(place) else { continue };
        let behind = ["practitioner", "organization"]
            .iter()
            .filter_map(|name| pool.follow(entry.node.get(name)?, place))
            .filter_map(|place| pool.entry(place));
        let nodes = std::iter::once(entry).chain(behind).map(|entry| entry.node);
        found.extend(nodes.filter_map(npi).filter_map(Result::ok));
    }
    found
}

fn diagnoses(request: &PasRequest<'_>) -> Vec<Coding> {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    let diagnoses = claim.into_iter().flat_map(|claim| claim.each("diagnosis").collect::<Vec<_>>());
    let coded = |diagnosis: Node<'_>| concept(diagnosis.get("diagnosisCodeableConcept")).codings;
    diagnoses.flat_map(coded).collect()
}
