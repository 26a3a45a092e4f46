//! What is wanted of a client's server, and what was asked for already.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::Call;
use super::sent::Sent;
use crate::cds::Hook;
use crate::ehr::{Tokens, Wish};
use crate::fhir::{Kind, Node, Pool};
use crate::hooks::prefetch::templates;
use crate::ig::CrdVersion;
use crate::intake::dossier::{HookFile, Received};
use crate::policy::Shelf;

/// The prefetch templates of every hook, made once.
#[derive(Debug)]
pub(crate) struct Templates(HashMap<(Hook, CrdVersion), Vec<(String, String)>>);

impl Templates {
    /// Those that discovery gives.
    pub(crate) fn of_shelf(shelf: &Shelf) -> Templates {
        let all = Hook::ALL.into_iter().flat_map(|hook| {
            CrdVersion::ALL.map(|version| ((hook, version), templates(hook, version, shelf)))
        });
        Templates(all.collect())
    }

    pub(super) fn of(&self, hook: Hook, version: CrdVersion) -> &[(String, String)] {
        self.0.get(&(hook, version)).map_or(&[], Vec::as_slice)
    }
}

/// What an order may point at that a decision reads.
const OF_ORDERS: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Encounter",
    "Medication",
    "Coverage",
];

/// What other resources point at that a decision reads, by type and element.
const OF_OTHERS: &[(&str, &[&[&str]])] = &[
    ("Coverage", &[&["payor"]]),
    ("Encounter", &[&["serviceProvider"], &["location", "location"]]),
    ("Location", &[&["managingOrganization"]]),
    ("PractitionerRole", &[&["practitioner"], &["organization"]]),
    ("MedicationRequest", &[&["medicationReference"]]),
    ("MedicationStatement", &[&["medicationReference"]]),
    ("MedicationAdministration", &[&["medicationReference"]]),
    ("MedicationDispense", &[&["medicationReference"]]),
];

/// What is wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    open: Vec<Wish>,
    /// What was asked for already, by the client or by us.
    asked: HashSet<Wish>,
    /// Queries of the client that failed: those that are asked again.
    pub(super) retried: Vec<Wish>,
    /// Those that are not.
    pub(super) failed: Vec<Wish>,
    /// Types of which the client has looked up those that its orders name.
    looked_up: HashSet<String>,
    /// Names of what is there, beside the pool.
    received: HashSet<String>,
    /// Names of what the context itself points at.
    named: HashSet<String>,
    /// Whether nobody has asked for the roles of whoever ordered.
    wants_roles: bool,
}

impl Wanted {
    /// What a call lacks; where nobody may be asked, only what the client failed to get.
    pub(super) fn of(
        call: Call<'_, '_>,
        templates: &[(String, String)],
        file: &HookFile<'_>,
        may_ask: bool,
    ) -> Wanted {
        let mut wanted = Wanted { wants_roles: true, ..Wanted::default() };
        wanted.add_prefetch(call, templates, &file.pool, may_ask);
        if !may_ask {
            return wanted;
        }
        let base = call.request.fhir_server.as_deref().unwrap_or_default();
        for reference in call.request.wanted() {
            if let Some(wish) = Wish::of_reference(&reference, base) {
                wanted.named.insert(wish.name());
                wanted.want_unless_there(wish, &file.pool);
            }
        }
        let asked = file.asked.iter().flat_map(|it| [Some(it.place), it.appointment]);
        for place in asked.flatten() {
            if let Some(entry) = file.pool.entry(place) {
                wanted.add_order(entry.node, &file.pool, base);
            }
        }
        for entry in file.pool.entries() {
            wanted.add_other(entry.node, &file.pool, base);
        }
        wanted
    }

    /// What discovery asks for, as far as the client did not send it.
    fn add_prefetch(
        &mut self,
        call: Call<'_, '_>,
        templates: &[(String, String)],
        pool: &Pool<'_>,
        may_ask: bool,
    ) {
        let request = call.request;
        let tokens = Tokens {
            patient: Some(request.patient_id.clone()),
            encounter: request.encounter_id.clone(),
            user: call.root.at(&["context", "userId"]).and_then(Node::text),
        };
        // Some clients send the same under keys of their own (crd.md 7.2).
        let is_known = |key: &str| templates.iter().any(|(known, _)| known == key);
        let others = request.prefetch.iter().filter(|(key, _)| !is_known(key));
        let mut broken: HashMap<Cow<'_, str>, bool> = HashMap::new();
        for (_, value) in others.clone() {
            match (Sent::of(*value), kind_of_entries(*value)) {
                (Sent::Page(url), Some(kind)) => self.want(Wish::page(&kind, &url)),
                (Sent::Failed { retry }, Some(kind)) => *broken.entry(kind).or_default() |= retry,
                (_, _) => {}
            }
        }
        let others: HashSet<Cow<'_, str>> =
            others.flat_map(|(_, value)| kinds_in(*value)).collect();
        for (key, template) in templates {
            let kind = template.split(['?', '/']).next().unwrap_or_default();
            let value = request.prefetch.iter().find(|(sent, _)| sent == key);
            let value = value.map(|(_, value)| *value);
            let wish = || Wish::of_template(template, &tokens);
            let Some(value) = value else {
                // What the client found of it under another key is not all.
                if let Some(retry) = broken.get(kind) {
                    self.add_sent(Sent::Failed { retry: *retry }, kind, template, wish);
                    continue;
                }
                let is_open = may_ask && !others.contains(kind);
                if let Some(wish) = is_open.then(wish).flatten() {
                    self.want_unless_there(wish, pool);
                }
                continue;
            };
            self.wants_roles &= kind != "PractitionerRole";
            self.add_sent(Sent::of(value), kind, template, wish);
        }
        self.wants_roles &= !others.contains("PractitionerRole");
    }

    fn add_sent(
        &mut self,
        sent: Sent<'_>,
        kind: &str,
        template: &str,
        wish: impl Fn() -> Option<Wish>,
    ) {
        match sent {
            // The client followed its orders' references itself.
            Sent::Whole | Sent::Nothing | Sent::NotOffered if template.contains("resolve()") => {
                self.looked_up.insert(kind.to_owned());
            }
            Sent::Whole => {}
            Sent::Nothing | Sent::NotOffered => self.asked.extend(wish()),
            Sent::Page(url) => self.want(Wish::page(kind, &url)),
            Sent::Failed { retry } => {
                // What an unreadable template would have led to is looked for by reference.
                let Some(wish) = wish() else { return };
                if retry {
                    self.retried.push(wish.clone());
                    self.want(wish);
                } else {
                    self.asked.insert(wish.clone());
                    self.failed.push(wish);
                }
            }
        }
    }

    /// What an answer points at.
    pub(super) fn add_received(&mut self, received: &[Received<'_>], pool: &Pool<'_>, base: &str) {
        let resources = || received.iter().flat_map(Received::resources).map(|(_, node)| node);
        self.received.extend(resources().filter_map(name));
        for node in resources() {
            if name(node).is_some_and(|name| self.named.contains(&name)) {
                self.add_order(node, pool, base);
            }
            self.add_other(node, pool, base);
        }
    }

    /// Everything that an order points at, and the roles of whoever ordered.
    fn add_order(&mut self, order: Node<'_>, pool: &Pool<'_>, base: &str) {
        let mut found = Vec::new();
        references_in(order, &mut found);
        for reference in found {
            let wish = Wish::of_reference(&reference, base);
            if let Some(wish) = wish.filter(|it| OF_ORDERS.contains(&it.kind())) {
                self.want_unless_there(wish, pool);
            }
        }
        let requester = order.at(&["requester", "reference"]).and_then(Node::text);
        let requester = requester.and_then(|it| Wish::of_reference(&it, base));
        let person = requester.filter(|it| it.kind() == "Practitioner" && self.wants_roles);
        if let Some(id) = person.as_ref().and_then(Wish::id) {
            self.want(Wish::roles_of(id));
        }
    }

    fn add_other(&mut self, node: Node<'_>, pool: &Pool<'_>, base: &str) {
        let kind = node.text_of("resourceType").unwrap_or_default();
        let paths = OF_OTHERS.iter().find(|(known, _)| *known == kind).map(|(_, paths)| *paths);
        for path in paths.unwrap_or_default() {
            let mut nodes = vec![node];
            for step in *path {
                nodes = nodes.into_iter().flat_map(|it| it.each(step)).collect();
            }
            let found = nodes.into_iter().filter_map(|it| it.text_of("reference"));
            for wish in found.filter_map(|it| Wish::of_reference(&it, base)) {
                self.want_unless_there(wish, pool);
            }
        }
    }

    fn want_unless_there(&mut self, wish: Wish, pool: &Pool<'_>) {
        let name = wish.name();
        let is_there = wish.id().is_some()
            && (pool.resolve(&name, pool.entries().len()).is_some()
                || self.received.contains(&name)
                || self.looked_up.contains(wish.kind()));
        if !is_there {
            self.want(wish);
        }
    }

    fn want(&mut self, wish: Wish) {
        if self.asked.insert(wish.clone()) {
            self.open.push(wish);
        }
    }

    /// What is to be asked for now.
    pub(super) fn take(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.open)
    }

    /// Whether nothing is to be asked for now.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// `Type/id` of a resource.
fn name(node: Node<'_>) -> Option<String> {
    Some(format!("{}/{}", node.text_of("resourceType")?, node.text_of("id")?))
}

/// The type of what a Bundle's first entry holds: those that match stand before those that go with
/// them.
fn kind_of_entries(bundle: Node<'_>) -> Option<Cow<'_, str>> {
    let resources = bundle.each("entry").filter_map(|entry| entry.get("resource"));
    resources.filter_map(|it| it.text_of("resourceType")).find(|kind| kind != "OperationOutcome")
}

/// The types of what stands under a prefetch key.
fn kinds_in(value: Node<'_>) -> Vec<Cow<'_, str>> {
    let entries = value.each("entry").filter_map(|entry| entry.get("resource"));
    std::iter::once(value).chain(entries).filter_map(|it| it.text_of("resourceType")).collect()
}

fn references_in<'d>(node: Node<'d>, found: &mut Vec<Cow<'d, str>>) {
    match node.kind() {
        Kind::Object => {
            found.extend(node.text_of("reference"));
            for (_, inner) in node.members() {
                references_in(inner, found);
            }
        }
        Kind::Array => {
            for inner in node.items() {
                references_in(inner, found);
            }
        }
        Kind::Text | Kind::Number | Kind::Bool | Kind::Null => {}
    }
}
