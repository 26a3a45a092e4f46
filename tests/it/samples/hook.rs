//! Answers to hooks.

use std::sync::OnceLock;

use priorauth::facts::{Source, SourceKind};
use priorauth::ig::CrdVersion;
use priorauth::policy::{Cited, Determination, Finding, Lack, PolicyId, Verdict};
use priorauth::render::crd::explain::{instructions_card, policy_card};
use priorauth::render::crd::{
    Circumstances, Contact, Coverage, CoverageInformation, Detail, DocNeeded, DocPurpose,
    Documents, HookAnswer, InfoNeeded, OneOrMore, OrderAnswer, PaNeeded, Reason, ReasonCode,
    WithoutPolicy, coverage_information, response,
};
use priorauth::terms::{Coding, Day, Truth, When};

/// The order as the EHR sent it: with odd numbers, escapes and white space to be kept.
pub(crate) const ORDER: &str = r#"{ "resourceType": "MedicationRequest", "id": "mr-1",
  "meta": {"profile": ["http://hl7.org/fhir/us/davinci-crd/StructureDefinition/profile-medicationrequest"]},
  "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal", "valueReference": {"reference": "Goal/g-1"}}],
  "status": "draft", "intent": "order",
  "medicationCodeableConcept": {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "2679322"}], "text": "lifileucel \u0028Amtagvi\u0029"},
  "subject": {"reference": "Patient/p-1"}, "authoredOn": "2026-03-02",
  "requester": {"reference": "Practitioner/d-1"},
  "dosageInstruction": [{"text": "once", "doseAndRate": [{"doseQuantity": {"value": 1.50}}]}] }"#;

const FORM: &str = "https://payer.priorauth.test/fhir/Questionnaire/amtagvi|2026-01-01";
static FORMS: OnceLock<Vec<String>> = OnceLock::new();
static CONTACT: OnceLock<Contact> = OnceLock::new();

fn contact() -> Contact {
    Contact {
        name: "Utilization Management".to_owned(),
        phone: "+1-555-0142".to_owned(),
        fax: "+1-555-0143".to_owned(),
        email: "um@payer.priorauth.test".to_owned(),
    }
}

const POLICY: &str = "https://payer.priorauth.test/policies/amtagvi";

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A finding of `clause` that is `truth`, with what goes with it.
fn finding(clause: &str, title: &str, truth: Truth) -> Finding {
    let source = Source {
        resource: "Condition/c-1".into(),
        element: "Condition.stage".into(),
        date: When::parse("2025-11-20").ok(),
        kind: SourceKind::Record,
    };
    let is_known = truth != Truth::Unknown;
    let cited = Cited { source, says: format!("{title}, as <b>recorded</b> by Dr. *X*") };
    Finding {
        clause: clause.into(),
        title: title.into(),
        words: title.into(),
        truth,
        counted: is_known.then_some(cited).into_iter().collect(),
        set_aside: Vec::new(),
        needs: (!is_known)
            .then(|| format!("Please send what shows: {title}. (Criterion {clause}.)"))
            .into_iter()
            .collect(),
        lack: (!is_known).then_some(Lack::Evidence),
        unread: Vec::new(),
    }
}

/// A verdict over criteria 1, 5 and 6, the last of which is about the site.
pub(crate) fn verdict(determination: Determination, truths: [Truth; 3]) -> Verdict {
    let titles = [("1", "Metastatic melanoma"), ("5", "BRAF status"), ("6", "Treatment center")];
    let is_subject = determination != Determination::NotSubject;
    Verdict {
        policy: is_subject.then(|| PolicyId {
            id: "amtagvi".into(),
            title: "Amtagvi (lifileucel)".into(),
            edition: Some(day("2026-01-01")),
        }),
        determination,
        findings: titles
            .into_iter()
            .zip(truths)
            .filter(|_| is_subject)
            .map(|((clause, title), truth)| finding(clause, title, truth))
            .collect(),
        to_read: Vec::new(),
        reasons: match determination {
            Determination::Review => vec!["Criterion 1 is not met by the records.".to_owned()],
            _ => Vec::new(),
        },
    }
}

pub(crate) fn circumstances(without_policy: WithoutPolicy<'static>) -> Circumstances<'static> {
    Circumstances {
        date: day("2026-03-02"),
        assertion_id: "8d6f1c3a-0000-4000-8000-000000000001",
        authorization: None,
        asks_documents: true,
        performer_asks: false,
        lacks: None,
        site_clauses: &["6"],
        site_needs: OneOrMore::one(InfoNeeded::Location),
        questionnaires: FORMS.get_or_init(|| vec![FORM.to_owned()]),
        policy_url: Some(POLICY),
        billing: &[],
        depends_on: None,
        contact: CONTACT.get_or_init(contact),
        coverage_until: None,
        without_policy,
    }
}

pub(crate) const DEPENDS: WithoutPolicy<'static> = WithoutPolicy::Depends {
    why: "Whether this service needs authorization depends on the exact code.",
    info: InfoNeeded::DetailCode,
};

/// What is said of an order with this verdict.
pub(crate) fn said(determination: Determination, truths: [Truth; 3]) -> CoverageInformation {
    coverage_information(&verdict(determination, truths), &circumstances(DEPENDS))
}

/// Every combination that can be said, each with its name.
pub(crate) fn all() -> Vec<(&'static str, CoverageInformation)> {
    use Determination::{Approve, NotSubject, Pend, Review};
    use Truth::{Met, NotMet, Unknown};
    let no_auth = WithoutPolicy::NoAuth { why: Some("The plan asks no authorization for it.") };
    let mut on_file = circumstances(DEPENDS);
    on_file.authorization = Some(("AUTH-0000017", Some(day("2026-06-13"))));
    let nothing = verdict(NotSubject, [Unknown; 3]);
    vec![
        ("approve", said(Approve, [Met, Met, Met])),
        ("pend-evidence", said(Pend, [Met, Unknown, Met])),
        ("pend-site", said(Pend, [Met, Met, Unknown])),
        ("pend-evidence-and-site", said(Pend, [Unknown, Unknown, Unknown])),
        ("pend-without-unknown", said(Pend, [Met, Met, Met])),
        ("review", said(Review, [NotMet, Unknown, Met])),
        ("satisfied", coverage_information(&verdict(Approve, [Met; 3]), &on_file)),
        ("no-auth", coverage_information(&nothing, &circumstances(no_auth))),
        ("depends", coverage_information(&nothing, &circumstances(DEPENDS))),
        ("depends-other", {
            let other = WithoutPolicy::Depends { why: "It depends.", info: InfoNeeded::Other };
            coverage_information(&nothing, &circumstances(other))
        }),
        ("not-in-force", by_hand(not_in_force())),
        ("not-covered-in-words", by_hand(Coverage::NotCovered { why: Reason::words("Excluded.") })),
        (
            "performer-asks",
            by_hand(Coverage::Covered {
                pa: PaNeeded::PerformerAsks,
                documents: Some(documents(DocNeeded::Both, DocPurpose::WithClaim)),
            }),
        ),
        (
            "conditional-with-several-needs",
            by_hand(Coverage::Conditional {
                info: OneOrMore {
                    first: InfoNeeded::Performer,
                    more: vec![InfoNeeded::Location, InfoNeeded::Timeframe],
                },
                why: Reason::words("The network decides."),
                pa: None,
                documents: Some(documents(DocNeeded::Administrative, DocPurpose::Retain)),
            }),
        ),
        (
            "indeterminate",
            by_hand(Coverage::Indeterminate {
                why: Reason {
                    code: Some(ReasonCode::Technical),
                    text: "The roster did not answer.".to_owned(),
                },
            }),
        ),
        ("coarse-code", {
            let mut coarse = circumstances(DEPENDS);
            coarse.lacks = Some(InfoNeeded::DetailCode);
            coverage_information(&verdict(Review, [Met, Unknown, Met]), &coarse)
        }),
        ("performer-asks-approved", {
            let mut elsewhere = circumstances(DEPENDS);
            elsewhere.performer_asks = true;
            coverage_information(&verdict(Approve, [Met; 3]), &elsewhere)
        }),
        ("at-a-secondary-hook", {
            let mut secondary = circumstances(DEPENDS);
            secondary.asks_documents = false;
            coverage_information(&verdict(Pend, [Met, Unknown, Unknown]), &secondary)
        }),
        ("with-everything", {
            let mut rich = circumstances(DEPENDS);
            rich.depends_on = Some("MedicationRequest/mr-2");
            rich.coverage_until = Some(day("2026-12-31"));
            let billed = Coding::from_uri("http://hl7.org/fhir/sid/ndc", "73776-0001-11");
            CoverageInformation {
                billing: vec![billed],
                contact: Some(contact()),
                ..coverage_information(&nothing, &rich)
            }
        }),
        (
            "gold-card",
            CoverageInformation {
                reasons: vec![
                    Reason {
                        code: Some(ReasonCode::GoldCard),
                        text: "Exempt prescriber.".to_owned(),
                    },
                    Reason {
                        code: Some(ReasonCode::Technical),
                        text: "A file was late.".to_owned(),
                    },
                ],
                details: vec![Detail::Instructions("Keep the record.".to_owned())],
                ..by_hand(Coverage::Covered { pa: PaNeeded::NoAuth, documents: None })
            },
        ),
    ]
}

fn not_in_force() -> Coverage {
    let text = "The coverage is not in force.".to_owned();
    Coverage::NotCovered { why: Reason { code: Some(ReasonCode::NoActiveCoverage), text } }
}

fn documents(needed: DocNeeded, purpose: DocPurpose) -> Documents {
    let why = Reason::words("The plan keeps a form.");
    Documents { needed, purpose: Some(purpose), questionnaires: vec![FORM.to_owned()], why }
}

fn by_hand(coverage: Coverage) -> CoverageInformation {
    CoverageInformation {
        coverage,
        reasons: Vec::new(),
        details: Vec::new(),
        billing: Vec::new(),
        depends_on: None,
        contact: None,
        until: None,
        date: day("2026-03-02"),
        assertion_id: "8d6f1c3a-0000-4000-8000-000000000002".to_owned(),
    }
}

/// The whole answer about one order, with its cards.
pub(crate) fn answer(
    version: CrdVersion,
    verdict: &Verdict,
    information: CoverageInformation,
    tells_actions: bool,
) -> String {
    let order = "MedicationRequest/mr-1";
    let cards = [
        instructions_card("5e1c0000-0000-4000-8000-000000000001", order, verdict),
        policy_card("5e1c0000-0000-4000-8000-000000000002", order, verdict, POLICY),
    ];
    response(&HookAnswer {
        version,
        payer: "CarePartners of Connecticut",
        server: None,
        orders: vec![OrderAnswer {
            order: ORDER,
            reference: order,
            said: vec![("Coverage/c-1", information)],
        }],
        cards: cards.into_iter().flatten().collect(),
        actions_card: tells_actions.then_some("5e1c0000-0000-4000-8000-000000000003"),
    })
    .unwrap()
}
