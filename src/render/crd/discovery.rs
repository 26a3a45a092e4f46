//! The discovery document: which services there are, and what they would like to be sent.
//!
//! Templates use patient, user and date tokens only, so that every client can fill them, and
//! searches that work by `POST _search` (rulings 38).

use serde_json::{Map, Value, json};

use crate::ig::CrdVersion;
use crate::ig::crd::{CONFIGURATION_EXTENSION, Topic, VERSION_EXTENSION};
use crate::terms::Coding;

/// How many codes one template asks for; a URL has an end.
const MOST_CODES: usize = 40;

/// A service.
#[derive(Clone, Debug)]
pub struct Service<'a> {
    /// The hook that it answers: `order-sign`.
    pub hook: &'a str,
    /// Its path segment; no two services have the same (crd.md trap 25).
    pub id: &'a str,
    /// Its name for people.
    pub title: &'a str,
    /// What it does.
    pub description: &'a str,
    /// What has to be so for it to be of use, if anything.
    pub usage_requirements: Option<&'a str>,
    /// Key and template of everything that it would like to be sent.
    pub prefetch: &'a [(String, String)],
    /// What a client may switch off.
    pub options: &'a [ConfigurationOption],
}

/// A switch that a client may set (CRD 2.2.1 dev-5: one for each type of card).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigurationOption {
    /// Which type of answer it is about.
    pub topic: Topic,
    /// Its name for people.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// The switches of the answers that this service gives.
pub const OPTIONS: &[ConfigurationOption] = &[
    ConfigurationOption {
        topic: Topic::CoverageInfo,
        name: "Coverage information",
        description: "Put into each order whether it is covered and what prior authorization needs",
    },
    ConfigurationOption {
        topic: Topic::Guideline,
        name: "Policy",
        description: "Show which criteria of the policy are proven, and where the policy stands",
    },
    ConfigurationOption {
        topic: Topic::Claim,
        name: "Forms",
        description: "Propose a form of the payer to fill in",
    },
    ConfigurationOption {
        topic: Topic::Insurance,
        name: "Coverage",
        description: "Propose a correction of the member's coverage",
    },
    ConfigurationOption {
        topic: Topic::OptionalAlternative,
        name: "Alternatives",
        description: "Propose another order that may be chosen",
    },
    ConfigurationOption {
        topic: Topic::RequiredAlternative,
        name: "Alternatives to try first",
        description: "Propose another order that has to be tried first",
    },
    ConfigurationOption {
        topic: Topic::Reminder,
        name: "Additional orders",
        description: "Propose further orders that the policy asks for",
    },
];

/// The JSON text of the discovery document.
#[must_use]
pub fn document(version: CrdVersion, services: &[Service<'_>]) -> String {
    let services: Vec<Value> = services.iter().map(|one| service(version, one)).collect();
    json!({"services": services}).to_string()
}

fn service(version: CrdVersion, service: &Service<'_>) -> Value {
    let mut json = Map::new();
    let mut put = |name: &str, value: Value| {
        json.insert(name.to_owned(), value);
    };
    put("hook", service.hook.into());
    put("title", service.title.into());
    put("description", service.description.into());
    put("id", service.id.into());
    if !service.prefetch.is_empty() {
        let templates = service.prefetch.iter();
        let templates = templates.map(|(key, template)| (key.clone(), template.as_str().into()));
        put("prefetch", Value::Object(templates.collect()));
    }
    if let Some(usage) = service.usage_requirements {
        put("usageRequirements", usage.into());
    }
    let mut extension = Map::new();
    // CRD 2.2.1 dev-1, dev-2
    if let Some(declared) = version.declared() {
        extension.insert(VERSION_EXTENSION.to_owned(), json!([declared]));
    }
    if !service.options.is_empty() {
        let options = service.options.iter().map(option).collect();
        extension.insert(CONFIGURATION_EXTENSION.to_owned(), Value::Array(options));
    }
    if !extension.is_empty() {
        put("extension", Value::Object(extension));
    }
    Value::Object(json)
}

fn option(option: &ConfigurationOption) -> Value {
    json!({
        "code": option.topic.code(),
        "type": "boolean",
        "name": option.name,
        "description": option.description,
        "default": true,
    })
}

/// What a service for signed orders would like to be sent.
///
/// `observations` are the codes of the Observations that the policies read.
/// Coverage is the one thing that no answer can do without (crd.md 3.8); a client that sends
/// nothing else is answered all the same.
#[must_use]
pub fn order_sign_prefetch(observations: &[Coding]) -> Vec<(String, String)> {
    const PATIENT: &str = "{{context.patientId}}";
    let of_patient = |resource: &str| format!("{resource}?patient={PATIENT}");
    let mut prefetch = vec![
        ("patient", format!("Patient/{PATIENT}")),
        ("coverage", format!("Coverage?patient={PATIENT}&status=active")),
        // rulings 38: never the bare token
        ("practitioner", "Practitioner/{{userPractitionerId}}".to_owned()),
        ("practitionerRoles", "PractitionerRole?practitioner={{userPractitionerId}}".to_owned()),
        ("conditions", of_patient("Condition")),
        ("medicationRequests", of_patient("MedicationRequest")),
        ("medicationStatements", of_patient("MedicationStatement")),
        ("medicationAdministrations", of_patient("MedicationAdministration")),
        ("allergies", of_patient("AllergyIntolerance")),
        ("procedures", of_patient("Procedure")),
    ];
    if !observations.is_empty() {
        let codes: Vec<String> = observations
            .iter()
            .take(MOST_CODES)
            .map(|coding| format!("{}|{}", coding.system.uri(), coding.code))
            .collect();
        let template = format!("Observation?patient={PATIENT}&code={}", codes.join(","));
        prefetch.push(("observations", template));
    }
    prefetch.into_iter().map(|(key, template)| (key.to_owned(), template)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::System;

    fn discovered(version: CrdVersion) -> Value {
        let codes = [Coding::new(System::Loinc, "53844-7"), Coding::new(System::Loinc, "85077-6")];
        let prefetch = order_sign_prefetch(&codes);
        let service = Service {
            hook: "order-sign",
            id: "priorauth-order-sign",
            title: "Prior authorization",
            description: "Says whether an order is covered and what its authorization needs",
            usage_requirements: Some("The client sends the member's Coverage."),
            prefetch: &prefetch,
            options: OPTIONS,
        };
        serde_json::from_str(&document(version, &[service])).unwrap()
    }

    #[test]
    fn the_document_of_2_2_as_it_is_sent() {
        let json = discovered(CrdVersion::V2_2);
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn only_2_2_declares_a_version() {
        let extension = |version| discovered(version)["services"][0]["extension"].clone();
        assert_eq!(extension(CrdVersion::V2_2)[VERSION_EXTENSION], json!(["2.2"]));
        assert!(extension(CrdVersion::V2_0).get(VERSION_EXTENSION).is_none());
        assert!(extension(CrdVersion::V2_0).get(CONFIGURATION_EXTENSION).is_some());
    }

    #[test]
    fn templates_use_patient_and_user_tokens_only() {
        for (key, template) in order_sign_prefetch(&[Coding::new(System::Loinc, "53844-7")]) {
            let rest =
                template.replace("{{context.patientId}}", "").replace("{{userPractitionerId}}", "");
            assert!(!rest.contains("{{"), "{key}: {template}");
            assert!(!template.starts_with("{{"), "{key}: {template}");
        }
    }
}
