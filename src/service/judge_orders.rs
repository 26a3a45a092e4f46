//! The orders of a hook call, judged, and what is said of each.

use super::{OnFile, Service};
use crate::cds::{HookRequest, based_on};
use crate::facts::{Case, CoverageLack, CoverageStanding, DateOrigin, Membership};
use crate::ig::CrdVersion;
use crate::intake::claim::Item;
use crate::intake::dossier::{Asked, Dossier, HookFile};
use crate::intake::gathered::Gathered;
use crate::policy::{Plan, Verdict, evaluate};
use crate::render::crd::{
    Circumstances, Contact, Coverage, CoverageInformation, InfoNeeded, OneOrMore, Reason,
    WithoutPolicy, coverage_information, is_no_news, unread_product, without_coverage,
};
use crate::render::echo::About;
use crate::terms::Day;

/// One order of a call under one coverage, judged.
pub(super) struct Judged<'d> {
    /// The order's number in the call, from 1.
    pub(super) sequence: u32,
    /// The place of what is answered among the resources of the call.
    pub(super) place: usize,
    /// The resource that is answered, as it came.
    pub(super) text: &'d str,
    /// Its `Type/id`.
    pub(super) reference: String,
    /// The usable Coverage that cards may speak of; of further coverages none.
    pub(super) coverage: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) member: Option<String>,
    /// The number of the authorization that covers it, and its last day.
    pub(super) authorized: Option<(String, Day)>,
    pub(super) assertion_id: String,
    /// What is said, and about which Coverage; `None`: nothing, or nothing new.
    pub(super) said: Option<(String, CoverageInformation)>,
}

impl Judged<'_> {
    /// Where the policy that judged can be read.
    pub(super) fn policy_page(&self, plan: &Plan) -> Option<String> {
        policy_page(&self.verdict, plan)
    }
}

fn policy_page(verdict: &Verdict, plan: &Plan) -> Option<String> {
    let policy = verdict.policy.as_ref()?;
    let edition = policy.edition.map(|day| day.to_string()).unwrap_or_default();
    Some(plan.policy_page(&policy.id, &edition))
}

/// What one call brings to each of its orders.
pub(super) struct Call<'c, 'd> {
    pub(super) version: CrdVersion,
    pub(super) request: &'c HookRequest<'d>,
    pub(super) file: &'c HookFile<'d>,
    /// What the client's FHIR server gave.
    pub(super) gathered: &'c Gathered,
    pub(super) on_file: &'c [OnFile],
    pub(super) as_of: Day,
}

impl Service {
    /// Judges every order under every usable coverage; those that nothing is put into are left out.
    pub(super) fn judge_orders<'d>(
        &self,
        call: &Call<'_, 'd>,
        dossier: &Dossier,
    ) -> Vec<Judged<'d>> {
        let orders = dossier.cases().zip(&dossier.items).zip(&call.file.asked);
        let verdicts: Vec<(Case<'_>, &Item, Asked, Verdict)> = orders
            .map(|((case, item), asked)| {
                (case, item, *asked, evaluate(&self.rules.shelf, case, call.as_of))
            })
            .collect();
        let mut judged = Vec::new();
        for (case, item, asked, verdict) in &verdicts {
            let answered = |it: Asked| call.file.annotated(it, call.version);
            let Some(place) = answered(*asked) else { continue };
            let same: Vec<&Asked> = verdicts
                .iter()
                .map(|(_, _, other, _)| other)
                .filter(|other| answered(**other) == Some(place))
                .collect();
            // An Appointment of several orders is answered once, and an order of several.
            if same.first() != Some(&asked) {
                continue;
            }
            let Some(entry) = call.file.pool.entry(place) else { continue };
            let goes_with = call.file.goes_with(*asked).filter(|base| {
                verdicts.iter().any(|(_, _, other, it)| other == base && it.policy.is_some())
            });
            let order = Order {
                judged: asked.place,
                place,
                text: entry.node.raw(),
                reference: entry.name(),
                goes_with: goes_with.and_then(|it| Some(call.file.pool.entry(it.place)?.name())),
                open_orders: if same.len() > 1 {
                    let is_one = same.iter().all(|it| it.place == asked.place);
                    Some(if is_one { SEVERAL_APPOINTMENTS } else { SEVERAL_ORDERS })
                } else {
                    asked
                        .appointment
                        .filter(|it| *it == place)
                        .and_then(|it| call.unread_orders(it))
                },
            };
            judged.push(self.judged(call, &order, *case, verdict.clone(), true));
            for further in &item.further {
                let coverage = CoverageStanding::InForce(further.clone());
                let case = Case { coverage: &coverage, ..*case };
                let verdict = evaluate(&self.rules.shelf, case, call.as_of);
                judged.push(self.judged(call, &order, case, verdict, false));
            }
        }
        judged
    }

    fn judged<'d>(
        &self,
        call: &Call<'_, 'd>,
        order: &Order<'d>,
        case: Case<'_>,
        verdict: Verdict,
        is_first: bool,
    ) -> Judged<'d> {
        let assertion_id = self.world.new_id();
        let on_file = if call.request.tells_authorizations() { call.on_file } else { &[] };
        let authorized = self.authorized(on_file, case, &verdict, call.as_of);
        let told = authorized.as_ref();
        let said = self.statement(call, order, case, (&verdict, told), &assertion_id);
        let said = said.filter(|(coverage, it)| {
            let about = About { coverage, server: call.request.fhir_server.as_deref() };
            !is_no_news(call.version, order.text, about, it)
        });
        let usable = membership(case.coverage).filter(|_| is_first);
        let is_in_force = matches!(case.coverage, CoverageStanding::InForce(it)
            if !has_ended(it, case, call.as_of));
        Judged {
            sequence: case.order.sequence,
            place: order.place,
            authorized,
            text: order.text,
            reference: order.reference.clone(),
            coverage: usable.map(|(reference, _)| reference).filter(|_| is_in_force),
            verdict,
            member: match case.coverage {
                CoverageStanding::InForce(membership) => {
                    membership.member_id.clone().map(String::from)
                }
                CoverageStanding::Unusable(_) => None,
            },
            assertion_id,
            said,
        }
    }

    /// What is said of an order, and about which Coverage.
    fn statement(
        &self,
        call: &Call<'_, '_>,
        order: &Order<'_>,
        case: Case<'_>,
        (verdict, authorized): (&Verdict, Option<&(String, Day)>),
        assertion_id: &str,
    ) -> Option<(String, CoverageInformation)> {
        // CRD 2.2.1 dev-14
        if !call.request.wants("coverage-info") {
            return None;
        }
        let plan = &self.rules.plan;
        let policies = &self.rules.shelf;
        let (coverage, membership) = membership(case.coverage)?;
        // crd.md 3.4: no Coverage on the client's system, no coverage information.
        if !call.is_known_there(&coverage) {
            return None;
        }
        let free = plan.free_codes(&case.order.products);
        let page = policy_page(verdict, plan);
        let billing = if free.is_empty() {
            policies.billing_codes(verdict, &case.order.products)
        } else {
            free.clone()
        };
        let circumstances = Circumstances {
            date: call.as_of,
            assertion_id,
            authorization: authorized.map(|(number, until)| (number.as_str(), Some(*until))),
            asks_documents: call.request.hook.is_primary(),
            performer_asks: policies.judges_site(verdict) && is_performed_elsewhere(case),
            lacks: self.lacks(order, case, verdict),
            site_clauses: &policies.site_clauses(),
            site_needs: site_needs(case),
            questionnaires: &policies.questionnaire(verdict).into_iter().collect::<Vec<_>>(),
            policy_url: page.as_deref(),
            billing: &billing,
            depends_on: order.goes_with.as_deref(),
            contact: &contact(plan),
            coverage_until: membership.and_then(|it| it.until).map(crate::terms::When::last),
            without_policy: if free.is_empty() {
                WithoutPolicy::Depends {
                    why: "the plan has no policy for this order; its benefit rules decide",
                    info: InfoNeeded::Other,
                }
            } else {
                WithoutPolicy::NoAuth { why: None }
            },
        };
        let mut information = match case.coverage {
            CoverageStanding::InForce(it) if has_ended(it, case, call.as_of) => {
                let why = "the coverage is not in force any more";
                let (lack, why) = call.lack_of(order, CoverageLack::NotInForce, why);
                without_coverage(lack, &why, verdict, &circumstances)?
            }
            CoverageStanding::InForce(_) => {
                match call.gathered.unread_product(call.file, order.judged) {
                    Some(unread) => unread_product(&unread.why, verdict, &circumstances),
                    None => coverage_information(verdict, &circumstances),
                }
            }
            CoverageStanding::Unusable(unusable) => {
                let (lack, why) = call.lack_of(order, unusable.lack, &unusable.why);
                without_coverage(lack, &why, verdict, &circumstances)?
            }
        };
        if let Some(why) = order.open_orders {
            information = CoverageInformation {
                coverage: depends_on_orders(why),
                reasons: Vec::new(),
                billing: Vec::new(),
                ..information
            };
        }
        Some((coverage, information))
    }

    /// What an order does not say exactly enough to be judged.
    fn lacks(&self, order: &Order<'_>, case: Case<'_>, verdict: &Verdict) -> Option<InfoNeeded> {
        let has_code_element = ["MedicationRequest/", "ServiceRequest/", "DeviceRequest/"]
            .iter()
            .any(|kind| order.reference.starts_with(kind));
        if has_code_element && self.rules.shelf.lacks_code(&case.order.products) {
            return Some(InfoNeeded::DetailCode);
        }
        let when = case.order.service_date.when;
        let edition_is_open = verdict.policy.as_ref().is_some_and(|it| it.edition.is_none());
        (edition_is_open && when.first() != when.last()).then_some(InfoNeeded::Timeframe)
    }
}

/// A resource that is answered.
struct Order<'d> {
    /// The place of what was judged, which is its order where this is an Appointment.
    judged: usize,
    place: usize,
    text: &'d str,
    reference: String,
    /// The order of the same call that it is based on, where a policy judged that one.
    goes_with: Option<String>,
    /// Why it cannot be answered as one order: it stands for several, or for one that is not here.
    open_orders: Option<&'static str>,
}

/// Why an Appointment of several orders is not answered as one.
const SEVERAL_ORDERS: &str = "The appointment carries out several orders, which are not covered \
    alike by necessity. Each is answered when it is signed or dispatched.";

/// Why an order for which several Appointments are proposed is not answered as one.
const SEVERAL_APPOINTMENTS: &str = "Several appointments are proposed for this order, and the day \
    and the place of each decide. Please book them one by one.";

impl Call<'_, '_> {
    /// Why an Appointment cannot be answered by what it says itself, or by those of its orders that
    /// are here: others are not.
    fn unread_orders(&self, appointment: usize) -> Option<&'static str> {
        let entry = self.file.pool.entry(appointment)?;
        let is_missing = based_on(entry.node).iter().any(|it| self.file.missing.contains(it));
        is_missing.then_some(
            "The appointment carries out an order that did not come with the call and could not \
             be read. It is answered when it is signed or dispatched.",
        )
    }

    /// What a coverage lacks: where others could not be read, that this one is not in force does not
    /// say that the member is not covered (crd.md 3.9).
    fn lack_of(&self, order: &Order<'_>, lack: CoverageLack, why: &str) -> (CoverageLack, String) {
        let is_certain = matches!(lack, CoverageLack::NotInForce | CoverageLack::NoMember);
        if is_certain && self.gathered.may_hide_another_coverage(self.file, order.judged) {
            (CoverageLack::Unread, format!("{why}, and other coverages could not be read"))
        } else {
            (lack, why.to_owned())
        }
    }

    /// Whether a reference leads to a Coverage on the client's system, as far as it came with the
    /// call: one that is contained in another resource, or has no id, has no name there.
    fn is_known_there(&self, reference: &str) -> bool {
        let pool = &self.file.pool;
        let entries = pool.of_type("Coverage").filter_map(|place| pool.entry(place));
        let mut same = entries.filter(|entry| entry.name() == reference).peekable();
        same.peek().is_none()
            || same.any(|entry| {
                let has_url = entry.full_url.as_deref().is_some_and(|it| it.starts_with("http"));
                entry.container.is_none() && (entry.id.is_some() || has_url)
            })
    }
}

/// Whether a coverage was in force when an order without a day of service was written, and is not
/// any more: the service is for a day to come.
fn has_ended(membership: &Membership, case: Case<'_>, as_of: Day) -> bool {
    let is_undated = case.order.service_date.origin == DateOrigin::Request;
    is_undated && membership.until.is_some_and(|until| until.last() < as_of)
}

/// The reference of the Coverage that is meant, and what is known of it where it is in force.
fn membership(coverage: &CoverageStanding) -> Option<(String, Option<&Membership>)> {
    match coverage {
        CoverageStanding::InForce(membership) => {
            Some((membership.source.resource.to_string(), Some(membership)))
        }
        CoverageStanding::Unusable(unusable) => {
            Some((unusable.source.as_ref()?.resource.to_string(), None))
        }
    }
}

/// 2.0 answers an Appointment as one, whatever orders it carries out.
fn depends_on_orders(why: &str) -> Coverage {
    Coverage::Conditional {
        info: OneOrMore::one(InfoNeeded::Other),
        why: Reason::words(why),
        pa: None,
        documents: None,
    }
}

/// Whether every place that the order names is another organization's than the one that orders.
fn is_performed_elsewhere(case: Case<'_>) -> bool {
    let Some(own) = case.order.ordered_for else { return false };
    let mut named = case.order.sites.iter().filter(|site| site.is_named_as_site).peekable();
    named.peek().is_some() && named.all(|site| matches!(site.npi, Some(Ok(npi)) if npi != own))
}

/// What a criterion about the place still needs: who performs, and in which setting.
fn site_needs(case: Case<'_>) -> OneOrMore<InfoNeeded> {
    let has_site = case.order.sites.iter().any(|site| site.is_named_as_site);
    match (has_site, case.order.settings.is_empty()) {
        (false, true) => {
            OneOrMore { first: InfoNeeded::Performer, more: vec![InfoNeeded::Location] }
        }
        (true, true) => OneOrMore::one(InfoNeeded::Location),
        // A place and a setting are named, and are not the ones: another performer is asked for.
        (_, false) => OneOrMore::one(InfoNeeded::Performer),
    }
}

fn contact(plan: &Plan) -> Contact {
    let contact = &plan.contact;
    Contact {
        name: contact.name.clone(),
        phone: contact.phone.clone(),
        fax: contact.fax.clone(),
        email: contact.email.clone(),
    }
}
