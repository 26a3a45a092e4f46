//! The discovery document: which services there are, and what they would like to be sent.

use serde_json::{Map, Value, json};

use crate::cds::UNSOLICITED;
use crate::ig::CrdVersion;
use crate::ig::crd::{CONFIGURATION_EXTENSION, Topic, VERSION_EXTENSION};

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
    pub options: Vec<ConfigurationOption>,
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

/// The switches of the answers that the services give, each the same at every service (dev-9).
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
        name: "Claims and forms",
        description: "Show authorizations on file, and propose forms of the payer to fill in",
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
        let mut options: Vec<Value> = service.options.iter().map(option).collect();
        let speaks_of_coverage =
            service.options.iter().any(|option| option.topic == Topic::CoverageInfo);
        // Beside `coverage-info`; 2.0 does not know it (crd.md 3.2).
        if speaks_of_coverage && version.knows_unsolicited() {
            options.push(json!({
                "code": UNSOLICITED,
                "type": "boolean",
                "name": "Determinations nobody asked for",
                "description": "Tell of authorizations that satisfy an order; false: a call that \
                    only asks what would be",
                "default": true,
            }));
        }
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
