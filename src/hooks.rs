//! Floor 3: the hooks that are answered, and what each would like to be sent.

pub mod prefetch;

pub use crate::cds::Hook;
use crate::ig::CrdVersion;
use crate::ig::crd::Topic;
use crate::policy::Shelf;
use crate::render::crd::discovery::{ConfigurationOption, OPTIONS, Service, document};

/// What a client is told of the service that answers a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// A step of its URL; no two services have the same (crd.md trap 25).
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What helps it.
    pub usage: &'static str,
}

/// The service that answers a hook.
#[must_use]
pub fn about(hook: Hook) -> About {
    const CLINICAL: &str = "Needs no more prefetch than the coverage to answer, and decides the \
        better the more of it is sent: patient, coverage, encounter, conditions, observations, \
        medications, allergies.";
    match hook {
        Hook::OrderSign => About {
            id: "order-sign-coverage",
            title: "Coverage requirements of orders",
            description: "Says for each order whether prior authorization is needed, which \
                criteria of the plan's policy the records prove already, and what is missing.",
            usage: CLINICAL,
        },
        Hook::OrderSelect => About {
            id: "order-select-coverage",
            title: "Coverage requirements of selected orders",
            description: "Says for each selected draft whether prior authorization will be \
                needed; it asks for no documents.",
            usage: CLINICAL,
        },
        Hook::OrderDispatch => About {
            id: "order-dispatch-coverage",
            title: "Coverage requirements of dispatched orders",
            description: "Says for each order whether prior authorization is needed now that it \
                is known who performs it.",
            usage: "Needs the dispatched orders and the coverage, by prefetch or from the FHIR \
                server; the performer settles criteria about the place.",
        },
        Hook::AppointmentBook => About {
            id: "appointment-book-coverage",
            title: "Coverage requirements of appointments",
            description: "Says for each proposed appointment, or for the order that it carries \
                out, whether prior authorization is needed.",
            usage: "Needs the coverage, and the orders that the appointments are based on, by \
                prefetch or from the FHIR server.",
        },
        Hook::EncounterStart => About {
            id: "encounter-start-coverage",
            title: "Authorizations at the start of an encounter",
            description: "Lists the patient's authorizations that are on file and in force.",
            usage: "Needs the coverage.",
        },
        Hook::EncounterDischarge => About {
            id: "encounter-discharge-coverage",
            title: "Authorizations at discharge",
            description: "Lists the patient's authorizations that are on file and in force.",
            usage: "Needs the coverage.",
        },
    }
}

/// The hook that the service of this id answers.
#[must_use]
pub fn of_service(id: &str) -> Option<Hook> {
    Hook::ALL.into_iter().find(|hook| about(*hook).id == id)
}

/// Whether a service sends answers of this kind.
fn sends(hook: Hook, topic: Topic) -> bool {
    match topic {
        Topic::CoverageInfo | Topic::Guideline => !hook.is_of_encounter(),
        // Authorizations on file, and forms to fill in.
        Topic::Claim => true,
        // CRD 2.2.1 resp-70; a visit has no order that a policy could declare a card for.
        Topic::Insurance => hook == Hook::AppointmentBook,
        // crd.md 6.2
        Topic::OptionalAlternative | Topic::RequiredAlternative | Topic::Reminder => {
            matches!(hook, Hook::OrderSign | Hook::OrderSelect)
        }
    }
}

/// What a client may switch off: what the service really sends (CRD 2.2.1 dev-5, dev-14).
fn options(hook: Hook) -> Vec<ConfigurationOption> {
    OPTIONS.iter().filter(|option| sends(hook, option.topic)).copied().collect()
}

/// The discovery document of one CRD version.
#[must_use]
pub fn discovery(version: CrdVersion, shelf: &Shelf) -> String {
    let prefetch = Hook::ALL.map(|hook| prefetch::templates(hook, version, shelf));
    let services = Hook::ALL.iter().zip(&prefetch).map(|(hook, prefetch)| {
        let about = about(*hook);
        Service {
            hook: hook.name(),
            id: about.id,
            title: about.title,
            description: about.description,
            usage_requirements: Some(about.usage),
            prefetch,
            options: options(*hook),
        }
    });
    document(version, &services.collect::<Vec<_>>())
}
