//! What the payer knows itself, as facts beside those of the request.
//!
//! The member roster says who is enrolled and when born, the provider directory who practises as
//! what, the claims history what was given.
//! Pure: it is given what is held, and it changes the dossier.

use super::claim::Item;
use super::coverage::in_force;
use super::dossier::Dossier;
use super::evidence::{billed_lines, take_back};
use crate::facts::{
    CoverageLack, CoverageStanding, DateOrigin, FactId, Membership, Prescriber, Source, SourceKind,
    Specialty, Stated, Unusable,
};
use crate::fhir::{Document, Rules};
use crate::policy::Plan;
use crate::policy::plan::NamedLine;
use crate::terms::{Coding, Concept, Npi, Span, Truth, When};

/// What the payer holds for one decision.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The member for whom it is held; empty: it is not known who.
    pub member_id: String,
    /// Whether a member roster is on file at all.
    pub has_roster: bool,
    /// When the member is enrolled.
    pub enrolments: Vec<Enrolled>,
    /// Specialties of the prescribers.
    pub directory: Vec<Listed>,
    /// What was billed for the member: the name of each resource, and its JSON text.
    pub claims: Vec<(String, String)>,
    /// Whether there is more than is looked at.
    pub is_cut: bool,
}

/// A row of the member roster.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The birth date.
    pub birth_date: Option<When>,
    /// The words that name the product line, one on each line.
    pub line: Option<String>,
    /// From when to when.
    pub valid: Span,
}

/// A row of the provider directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Whose.
    pub npi: Npi,
    /// The specialty.
    pub code: Coding,
    /// From when to when.
    pub valid: Span,
}

/// The member whom the request is for, as its usable coverages name them; empty if none does.
#[must_use]
pub fn member_id(dossier: &Dossier) -> &str {
    let named = dossier.items.iter().find_map(|item| match &item.coverage {
        CoverageStanding::InForce(membership) => membership.member_id.as_deref(),
        CoverageStanding::Unusable(_) => None,
    });
    named.unwrap_or_default()
}

/// The numbers of everybody who prescribes in the request, each once.
#[must_use]
pub fn prescribers(dossier: &Dossier) -> Vec<Npi> {
    let prescribers = dossier.items.iter().filter_map(|item| item.order.prescriber.as_ref());
    let mut npis: Vec<Npi> = prescribers.filter_map(|prescriber| prescriber.npi).collect();
    npis.sort_unstable();
    npis.dedup();
    npis
}

impl Dossier {
    /// Puts in what the payer holds.
    pub fn add_payer_facts(&mut self, held: &Held, plan: &Plan) {
        let mut is_whole = !held.is_cut;
        let mut billed = Vec::new();
        for (place, (name, resource)) in held.claims.iter().enumerate() {
            // clinical.md 4.1, 7.1: own paid claims prove what was given, and no more.
            match Document::parse(resource.as_bytes(), Rules::Lenient) {
                Ok(claim) => {
                    let id = FactId::of_payer(place);
                    let lines = billed_lines(claim.root(), name, id, SourceKind::Payer);
                    billed.extend(lines);
                }
                Err(_) => is_whole = false,
            }
        }
        take_back(&mut billed);
        self.evidence.medications.extend(billed);
        for item in &mut self.items {
            check_member(item, held, plan, is_whole);
            if let Some(prescriber) = &mut item.order.prescriber {
                add_listed(prescriber, held);
            }
        }
        if !held.member_id.is_empty() {
            self.patient.enrolled_births = births(&held.enrolments);
        }
    }
}

/// Compares the coverage of an item with the roster: where that does not bear it out, a person
/// decides (rulings 10).
fn check_member(item: &mut Item, held: &Held, plan: &Plan, is_whole: bool) {
    let day = item.order.service_date.when;
    let is_undated = item.order.service_date.origin == DateOrigin::Request;
    let check = |membership: &mut Membership| {
        if is_whole {
            // An order that names no day of service is for a day to come, which may be one of a
            // later enrolment.
            let later = |row: &Enrolled| row.valid.start.is_some_and(|it| it.first() > day.last());
            return enrolled(membership, held, plan, day).map_err(|(lack, why)| match lack {
                CoverageLack::NotInForce if is_undated && held.enrolments.iter().any(later) => {
                    (CoverageLack::DayUnclear, why)
                }
                lack => (lack, why),
            });
        }
        let why = "the payer holds more claims of the member than are looked at by itself";
        Err((CoverageLack::Person, why.to_owned()))
    };
    // What is held is one member's: of another one that a coverage names nothing is known here.
    let is_other = |membership: &Membership| {
        membership.member_id.as_deref().unwrap_or_default() != held.member_id
    };
    let names_another = item.further.iter().any(is_other);
    // One that is not borne out says nothing beside one that counts.
    item.further.retain_mut(|membership| check(membership).is_ok());
    let CoverageStanding::InForce(membership) = &mut item.coverage else { return };
    if let Err((lack, why)) = check(membership) {
        // crd.md 3.9: the member may be found by the other id.
        let (lack, why) = match lack {
            CoverageLack::NoMember | CoverageLack::NotInForce if names_another => {
                let why = format!("{why}, and another coverage names another member");
                (CoverageLack::Unclear, why)
            }
            lack => (lack, why),
        };
        let source = Some(membership.source.clone());
        item.coverage = if item.further.is_empty() {
            CoverageStanding::Unusable(Unusable { why, lack, source })
        } else {
            CoverageStanding::InForce(item.further.remove(0))
        };
    }
}

/// Whether the member is enrolled on the day; the roster's line is the member's line.
fn enrolled(
    membership: &mut Membership,
    held: &Held,
    plan: &Plan,
    day: When,
) -> Result<(), (CoverageLack, String)> {
    use CoverageLack::{NoMember, Unclear};
    let because = |lack, why: &str| Err((lack, why.to_owned()));
    let named = membership.member_id.as_deref().unwrap_or_default();
    if named != held.member_id {
        return because(Unclear, "the items of the request name different members");
    }
    // rulings 9: without a roster every member id is accepted.
    if !held.has_roster {
        return Ok(());
    }
    if named.is_empty() {
        let why = "the coverage gives no member id to look for on the member roster";
        return because(Unclear, why);
    }
    if held.enrolments.is_empty() {
        return because(NoMember, "the member is not on the member roster");
    }
    let mut on_day =
        held.enrolments.iter().filter(|row| row.valid.covers(day) == Truth::Met).peekable();
    if on_day.peek().is_none() {
        return Err((lapsed(held, day), format!("the member roster shows no enrolment on {day}")));
    }
    let mut line: Option<&str> = None;
    for words in on_day.filter_map(|row| row.line.as_deref()) {
        match (roster_line(words, plan), line) {
            (None, _) => {
                let why = "the member roster names a product line that the plan does not list";
                return because(Unclear, why);
            }
            (Some(found), Some(known)) if found != known => {
                return because(Unclear, "the member roster names several product lines");
            }
            (Some(found), _) => line = Some(found),
        }
    }
    // clinical.md 2: the enrolment record outranks what the provider's system says.
    if let Some(line) = line {
        membership.line = line.into();
    }
    if let Some(left) = last_day(held, day)
        && membership.until.is_none_or(|until| left.last() < until.last())
    {
        membership.until = Some(left);
    }
    Ok(())
}

/// The last day of the enrolment on `day`, where no other one is known to follow it.
fn last_day(held: &Held, day: When) -> Option<When> {
    let ends = |rows: &mut dyn Iterator<Item = &Enrolled>| {
        let ends: Option<Vec<When>> = rows.map(|row| row.valid.end).collect();
        ends?.into_iter().max_by_key(|end| end.last())
    };
    let last = ends(&mut held.enrolments.iter())?;
    let mut on_day = held.enrolments.iter().filter(|row| row.valid.covers(day) == Truth::Met);
    ends(&mut on_day).filter(|end| *end == last)
}

/// What no enrolment on the day means: that none is in force, if that is certain of each.
fn lapsed(held: &Held, day: When) -> CoverageLack {
    let lacks = held.enrolments.iter().filter_map(|row| in_force(row.valid, day).err());
    lacks.fold(
        CoverageLack::NotInForce,
        |all, lack| {
            if lack == CoverageLack::NotInForce { all } else { lack }
        },
    )
}

/// The plan's line that the roster's words name: by its id, or as a Coverage's class names it.
fn roster_line<'p>(words: &str, plan: &'p Plan) -> Option<&'p str> {
    let by_id = plan.lines.iter().find(|line| line.id.eq_ignore_ascii_case(words.trim()));
    let by_words = || {
        let words: Vec<String> = words.lines().map(str::to_owned).collect();
        match plan.line(&words) {
            NamedLine::Known(line) => Some(line),
            NamedLine::Default(_) | NamedLine::Unlisted => None,
        }
    };
    by_id.map(|line| line.id.as_str()).or_else(by_words)
}

/// The birth dates that the roster gives the member, each once; one that is only less precise than
/// another is no other.
fn births(enrolments: &[Enrolled]) -> Vec<Stated<When>> {
    let mut births: Vec<Stated<When>> = Vec::new();
    for born in enrolments.iter().filter_map(|row| row.birth_date) {
        if births.iter().all(|known| known.value != born) {
            births.push(Stated { value: born, source: own("member roster", "birth date") });
        }
    }
    let dates: Vec<When> = births.iter().map(|it| it.value).collect();
    births.retain(|it| dates.iter().all(|date| *date == it.value || !date.lies_within(it.value)));
    births
}

/// clinical.md 3: where the request does not settle it, the payer's directory by NPI.
fn add_listed(prescriber: &mut Prescriber, held: &Held) {
    let own_rows = held.directory.iter().filter(|row| Some(row.npi) == prescriber.npi);
    let listed = own_rows.map(|row| Specialty {
        concept: Concept { codings: vec![row.code.clone()], text: None },
        valid: row.valid,
        source: own("provider directory", "specialty"),
    });
    prescriber.specialties.extend(listed);
}

fn own(register: &str, element: &'static str) -> Source {
    Source {
        resource: register.into(),
        element: element.into(),
        date: None,
        kind: SourceKind::Payer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::pas_request::{PasRequest, Profile};

    const REQUEST: &[u8] = include_bytes!("../../fixtures/pas/approve-all-met/request.json");
    const MEMBER: &str = "CPC10010001";

    /// The dossier of an approved request with this beside it.
    fn dossier(held: &Held) -> Dossier {
        let plan = crate::profiles::embedded().unwrap().plan;
        let document = Document::parse(REQUEST, Rules::Fhir).unwrap();
        let request = PasRequest::read(&document, Profile::Common).unwrap();
        let as_of = "2026-11-20".parse().unwrap();
        let (pool, subject) = (&request.pool, &request.subject);
        let mut dossier = Dossier::of_claim(pool, request.claim, subject, &plan, as_of);
        assert_eq!(member_id(&dossier), MEMBER);
        dossier.add_payer_facts(held, &plan);
        dossier
    }

    fn enrolled(line: Option<&str>, from: &str, to: &str) -> Enrolled {
        let day = |text: &str| When::parse(text).ok();
        Enrolled {
            birth_date: day("1961-04-17"),
            line: line.map(str::to_owned),
            valid: Span { start: day(from), end: day(to) },
        }
    }

    fn roster(enrolments: Vec<Enrolled>) -> Held {
        Held { member_id: MEMBER.into(), has_roster: true, enrolments, ..Held::default() }
    }

    /// The line of the member, or why the coverage cannot be used.
    fn standing(held: &Held) -> Result<String, String> {
        match &dossier(held).items[0].coverage {
            CoverageStanding::InForce(membership) => Ok(membership.line.to_string()),
            CoverageStanding::Unusable(unusable) => Err(unusable.why.clone()),
        }
    }

    #[test]
    fn the_rosters_line_outranks_the_coverages() {
        let line = |line| standing(&roster(vec![enrolled(line, "2026-01-01", "")]));
        assert_eq!(line(None).unwrap(), "ma-hmo");
        assert_eq!(line(Some("ma-ppo")).unwrap(), "ma-ppo");
        assert_eq!(
            line(Some("MA-PPO\nCarePartners of Connecticut Medicare Advantage PPO")).unwrap(),
            "ma-ppo"
        );
        assert!(line(Some("dental")).unwrap_err().contains("does not list"));
    }

    #[test]
    fn a_member_is_enrolled_on_the_day_of_service_and_not_beside_it() {
        // The service is on 2026-12-10.
        let on = |from, to| standing(&roster(vec![enrolled(None, from, to)])).is_ok();
        assert!(on("2026-12-10", "2026-12-10"));
        assert!(!on("2026-12-11", ""));
        assert!(!on("", "2026-12-09"));
        let two = |first: &str, second: &str| {
            standing(&roster(vec![
                enrolled(Some(first), "2025-01-01", "2026-12-09"),
                enrolled(Some(second), "2026-12-10", ""),
            ]))
        };
        assert_eq!(two("ma-hmo", "ma-ppo").unwrap(), "ma-ppo");
        let both = vec![enrolled(Some("ma-hmo"), "", ""), enrolled(Some("ma-ppo"), "", "")];
        assert!(standing(&roster(both)).unwrap_err().contains("several product lines"));
    }

    #[test]
    fn without_a_roster_every_member_is_accepted() {
        let nothing = Held { member_id: MEMBER.into(), ..Held::default() };
        assert_eq!(standing(&nothing).unwrap(), "ma-hmo");
        assert!(standing(&roster(Vec::new())).unwrap_err().contains("not on the member roster"));
    }

    #[test]
    fn what_is_held_of_another_member_or_not_whole_keeps_a_person_in_the_loop() {
        let other = Held { member_id: "M-2".into(), ..Held::default() };
        assert!(standing(&other).unwrap_err().contains("different members"));
        let cut = Held { member_id: MEMBER.into(), is_cut: true, ..Held::default() };
        assert!(standing(&cut).is_err());
        let claims = vec![("Claim/1".to_owned(), "{".to_owned())];
        let unreadable = Held { member_id: MEMBER.into(), claims, ..Held::default() };
        assert!(standing(&unreadable).is_err());
    }

    #[test]
    fn births_are_told_once_and_those_that_differ_are_all_told() {
        let births = |rows: &[&str]| {
            let row = |text: &&str| Enrolled {
                birth_date: When::parse(text).ok(),
                ..enrolled(None, "", "")
            };
            let held = roster(rows.iter().map(row).collect());
            let births = dossier(&held).patient.enrolled_births;
            births.iter().map(|it| it.value.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(births(&["1961-04-17", "1961-04-17", "unknown"]), ["1961-04-17"]);
        assert_eq!(births(&["1961", "1961-04-17"]), ["1961-04-17"]);
        assert_eq!(births(&["1961-04-17", "1962"]), ["1961-04-17", "1962"]);
    }

    #[test]
    fn own_claims_and_own_directory_rows_are_the_payers_facts() {
        let claim = r#"{"resourceType":"ExplanationOfBenefit","status":"active","use":"claim",
            "item":[{"productOrService":{"coding":[{"system":"http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets","code":"J9271"}]},
            "servicedDate":"2024-06-03","adjudication":[{"amount":{"value":1}}]}]}"#;
        let listed = |npi: &str| Listed {
            npi: Npi::parse(npi).unwrap(),
            code: Coding::from_uri("http://nucc.org/provider-taxonomy", "207N00000X"),
            valid: Span::default(),
        };
        let dossier = dossier(&Held {
            member_id: MEMBER.into(),
            claims: vec![("ExplanationOfBenefit/1".to_owned(), claim.to_owned())],
            directory: vec![listed("1555001019"), listed("1555001068")],
            ..Held::default()
        });
        let own: Vec<_> = dossier
            .evidence
            .medications
            .iter()
            .filter(|it| it.source.kind == SourceKind::Payer)
            .collect();
        assert_eq!(own.len(), 1);
        assert_eq!((own[0].id, own[0].status.as_deref()), (FactId::of_payer(0), Some("paid")));
        let specialties = &dossier.items[0].order.prescriber.as_ref().unwrap().specialties;
        let own = specialties.iter().filter(|it| it.source.kind == SourceKind::Payer);
        assert_eq!(own.count(), 1, "another person's row is not the prescriber's");
    }

    /// The status of each line of the payer's, in the order of the claims.
    fn statuses(claims: &[String]) -> Vec<Option<String>> {
        let named = |(place, claim): (usize, &String)| {
            (format!("ExplanationOfBenefit/{place}"), claim.clone())
        };
        let claims = claims.iter().enumerate().map(named).collect();
        let held = Held { member_id: MEMBER.into(), claims, ..Held::default() };
        let medications = dossier(&held).evidence.medications;
        let own = medications.into_iter().filter(|it| it.source.kind == SourceKind::Payer);
        own.map(|it| it.status.map(String::from)).collect()
    }

    fn billed(lines: &str) -> String {
        format!(
            r#"{{"resourceType":"ExplanationOfBenefit","status":"active","use":"claim",{lines}}}"#
        )
    }

    fn line(day: &str, amounts: &[&str]) -> String {
        let adjudication: Vec<String> =
            amounts.iter().map(|it| format!(r#"{{"amount":{{"value":{it}}}}}"#)).collect();
        format!(
            r#"{{"productOrService":{{"coding":[{{"system":"http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets","code":"J9271"}}]}},
            "servicedDate":"{day}","adjudication":[{}]}}"#,
            adjudication.join(",")
        )
    }

    #[test]
    fn a_payment_that_was_taken_back_proves_no_dose() {
        let item =
            |day: &str, amounts: &[&str]| billed(&format!(r#""item":[{}]"#, line(day, amounts)));
        let (paid, back) = (item("2024-06-03", &["0.3"]), item("2024-06-03", &["-0.3"]));
        let status = |claims: &[&String]| {
            statuses(&claims.iter().map(|it| (*it).clone()).collect::<Vec<_>>())
        };
        let is = |words: &[Option<&str>]| {
            words.iter().map(|it| it.map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(status(&[&paid, &back]), is(&[None, Some("reversed")]));
        assert_eq!(status(&[&back, &paid]), is(&[Some("reversed"), None]));
        // Billed and paid anew, or on another day, it was given.
        let paid_anew = status(&[&paid, &back, &paid]);
        assert_eq!(paid_anew, is(&[None, Some("reversed"), Some("paid")]));
        let other_day = item("2024-07-15", &["9000"]);
        assert_eq!(status(&[&other_day, &back]), is(&[Some("paid"), Some("reversed")]));
        let within = item("2024-06-03", &["0.1", "0.2", "-0.3"]);
        assert_eq!(status(&[&within]), is(&[None]));
    }

    #[test]
    fn a_line_that_the_payer_added_and_a_part_of_a_detail_are_read() {
        let added = billed(&format!(r#""addItem":[{}]"#, line("2024-06-03", &["1"])));
        assert_eq!(statuses(&[added]), [Some("paid".to_owned())]);
        let part = billed(&format!(
            r#""item":[{{"servicedDate":"2024-06-03","adjudication":[{{"amount":{{"value":1}}}}],
            "detail":[{{"subDetail":[{}]}}]}}]"#,
            line("2024-06-03", &[])
        ));
        assert_eq!(statuses(&[part]), [Some("paid".to_owned())]);
    }
}
