//! The `CapabilityStatement` of a PAS endpoint: what is routed there, and no more.

use super::RenderError;
use crate::fhir::write::r4::Resource;
use crate::fhir::write::r4::resources::{
    CapabilityStatement, CapabilityStatementImplementation, CapabilityStatementRest,
    CapabilityStatementRestResource, CapabilityStatementRestResourceInteraction,
    CapabilityStatementRestResourceOperation, CapabilityStatementSoftware,
};
use crate::fhir::write::write;
use crate::ig::pas::{GUIDE, INTERMEDIARY, OPERATION_INQUIRE, OPERATION_SUBMIT, PasVersion};
use crate::ig::{FHIR_VERSION, pas::profile};

/// What an endpoint says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Capability<'a> {
    /// Which version of PAS it speaks.
    pub version: PasVersion,
    /// What the router really serves below it.
    pub routed: &'a [Routed],
    /// When the statement last changed, a FHIR dateTime.
    pub date: &'a str,
    /// The version of this software.
    pub software_version: &'a str,
    /// Who runs it, in a few words.
    pub description: &'a str,
    /// The configured public base with the endpoint's path: `https://host/pas/2.2.1`.
    pub base: &'a str,
}

/// Something that is routed below a PAS endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed {
    /// `POST Claim/$submit`
    Submit,
    /// `POST Claim/$inquire`
    Inquire,
    /// `POST`, `GET`, `PUT` and `DELETE` of Subscription
    Subscription,
}

/// The JSON text of the `CapabilityStatement`.
///
/// # Errors
/// None that input can cause.
pub fn statement(capability: &Capability<'_>) -> Result<String, RenderError> {
    let version = capability.version;
    let routes = |route| capability.routed.contains(&route);
    // To instantiate the guide's statement is to do all that it lists.
    let is_complete =
        routes(Routed::Submit) && routes(Routed::Inquire) && routes(Routed::Subscription);
    let instantiates = is_complete.then(|| version.pinned(INTERMEDIARY).into());
    let statement = CapabilityStatement {
        status: "active".into(),
        date: capability.date.into(),
        kind: "instance".into(),
        instantiates: instantiates.into_iter().collect(),
        software: Some(CapabilityStatementSoftware {
            name: "priorauth".into(),
            version: Some(capability.software_version.into()),
            ..CapabilityStatementSoftware::default()
        }),
        implementation: Some(CapabilityStatementImplementation {
            description: capability.description.into(),
            url: Some(capability.base.into()),
            ..CapabilityStatementImplementation::default()
        }),
        fhir_version: FHIR_VERSION.into(),
        // PAS 2.2.1 spec-11: JSON; by its media type, which every terminology service knows
        format: vec!["application/fhir+json".into()],
        implementation_guide: vec![version.pinned(GUIDE).into()],
        rest: vec![CapabilityStatementRest {
            mode: "server".into(),
            resource: resources(capability),
            ..CapabilityStatementRest::default()
        }],
        ..CapabilityStatement::default()
    };
    Ok(write(&Resource::CapabilityStatement(Box::new(statement)))?)
}

fn resources(capability: &Capability<'_>) -> Vec<CapabilityStatementRestResource> {
    let version = capability.version;
    let operation: Vec<_> = capability
        .routed
        .iter()
        .filter_map(|route| match route {
            Routed::Submit => Some(("submit", OPERATION_SUBMIT)),
            Routed::Inquire => Some(("inquire", OPERATION_INQUIRE)),
            Routed::Subscription => None,
        })
        .map(|(name, definition)| CapabilityStatementRestResourceOperation {
            name: name.into(),
            definition: version.pinned(definition).into(),
            ..CapabilityStatementRestResourceOperation::default()
        })
        .collect();
    let mut resources = Vec::new();
    if !operation.is_empty() {
        resources.push(CapabilityStatementRestResource {
            r#type: "Claim".into(),
            supported_profile: [profile::CLAIM, profile::CLAIM_UPDATE].map(Into::into).into(),
            operation,
            ..CapabilityStatementRestResource::default()
        });
    }
    if capability.routed.contains(&Routed::Subscription) {
        resources.push(subscription());
    }
    resources
}

fn subscription() -> CapabilityStatementRestResource {
    let interaction = ["create", "read", "update", "delete"]
        .map(|code| CapabilityStatementRestResourceInteraction {
            code: code.into(),
            ..CapabilityStatementRestResourceInteraction::default()
        })
        .into();
    CapabilityStatementRestResource {
        r#type: "Subscription".into(),
        interaction,
        ..CapabilityStatementRestResource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: PasVersion, routed: &[Routed]) -> String {
        statement(&Capability {
            version,
            routed,
            date: "2026-03-02",
            software_version: "0.1.0",
            description: "Prior authorization of a synthetic plan",
            base: "https://payer.priorauth.test/pas",
        })
        .unwrap()
    }

    #[test]
    fn the_statement_of_2_2_1_as_it_is_sent() {
        insta::assert_snapshot!(of(PasVersion::V2_2_1, &[Routed::Submit]));
    }

    #[test]
    fn only_what_is_routed_is_declared() {
        let text = of(PasVersion::V2_0_1, &[Routed::Submit]);
        assert!(!text.contains("inquire"));
        assert!(!text.contains("instantiates"));
        assert!(text.contains("Claim-submit|2.0.1"));
        let all = [Routed::Submit, Routed::Inquire, Routed::Subscription];
        let text = of(PasVersion::V2_0_1, &all);
        assert!(text.contains("IntermediaryCapabilities|2.0.1"));
        assert!(text.contains("Subscription"));
    }
}
