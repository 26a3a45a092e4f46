//! Da Vinci Prior Authorization Support, 2.0.1 and 2.2.1.

/// A version of the guide that has an endpoint of its own (PAS 2.2.1 conf-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PasVersion {
    /// STU 2, the one that CMS-0057-F names.
    V2_0_1,
    /// STU 2.2, the current one.
    V2_2_1,
}

impl PasVersion {
    /// Every version that we serve, oldest first.
    pub const ALL: [PasVersion; 2] = [PasVersion::V2_0_1, PasVersion::V2_2_1];

    /// The version as the guide writes it, which is also its path segment below `/pas/`.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            PasVersion::V2_0_1 => "2.0.1",
            PasVersion::V2_2_1 => "2.2.1",
        }
    }

    /// The version that a path segment names.
    #[must_use]
    pub fn from_segment(segment: &str) -> Option<PasVersion> {
        PasVersion::ALL.into_iter().find(|version| version.number() == segment)
    }

    /// The path of the endpoint below the public base, without a slash at its end.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            PasVersion::V2_0_1 => "/pas/2.0.1",
            PasVersion::V2_2_1 => "/pas/2.2.1",
        }
    }

    /// Whether a response can say that a person reviewed it (2.2: `claimResponseReviewer`).
    #[must_use]
    pub fn has_reviewer(self) -> bool {
        match self {
            PasVersion::V2_0_1 => false,
            PasVersion::V2_2_1 => true,
        }
    }

    /// Whether a response says what was authorized instead of what was asked in an added item (2.2.1
    /// spec-36, spec-37), and not in the item itself.
    #[must_use]
    pub fn has_added_items(self) -> bool {
        match self {
            PasVersion::V2_0_1 => false,
            PasVersion::V2_2_1 => true,
        }
    }

    /// Whether a response can carry the transmission's identifiers, dates of a stay, and the reason
    /// why a Claim is not named (all 2.2).
    #[must_use]
    pub fn has_response_details(self) -> bool {
        match self {
            PasVersion::V2_0_1 => false,
            PasVersion::V2_2_1 => true,
        }
    }

    /// `canonical|version`, for places that may name a version; `Extension.url` may not (trap T18).
    #[must_use]
    pub fn pinned(self, canonical: &str) -> String {
        format!("{canonical}|{}", self.number())
    }
}

/// How much a notification says of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadContent {
    /// Which answer it is; the client inquires.
    IdOnly,
    /// The whole answer.
    FullResource,
}

impl PayloadContent {
    /// The contents that a version allows (pas.md 2.9).
    #[must_use]
    pub fn allowed(version: PasVersion) -> &'static [PayloadContent] {
        match version {
            PasVersion::V2_0_1 => &[PayloadContent::IdOnly, PayloadContent::FullResource],
            // PAS 2.2.1 spec-61
            PasVersion::V2_2_1 => &[PayloadContent::FullResource],
        }
    }

    /// The code of the backport's value set.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PayloadContent::IdOnly => "id-only",
            PayloadContent::FullResource => "full-resource",
        }
    }

    /// The content that a code means.
    #[must_use]
    pub fn from_code(code: &str) -> Option<PayloadContent> {
        [PayloadContent::IdOnly, PayloadContent::FullResource]
            .into_iter()
            .find(|content| content.code() == code)
    }
}

/// The guide itself.
pub const GUIDE: &str =
    "http://hl7.org/fhir/us/davinci-pas/ImplementationGuide/hl7.fhir.us.davinci-pas";
/// What a payer's server or an intermediary supports.
pub const INTERMEDIARY: &str =
    "http://hl7.org/fhir/us/davinci-pas/CapabilityStatement/IntermediaryCapabilities";
/// The definition of `Claim/$submit`.
pub const OPERATION_SUBMIT: &str =
    "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-submit";
/// The definition of `Claim/$inquire`: the artefact says inquiry, the code inquire (trap T2).
pub const OPERATION_INQUIRE: &str =
    "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-inquiry";
/// The one topic that a client may subscribe to.
pub const SUBSCRIPTION_TOPIC: &str =
    "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic";
/// Which of the events of the topic a Subscription wants (subscriptions backport 1.1.0).
pub const FILTER_CRITERIA: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria";
/// How much a notification says.
pub const PAYLOAD_CONTENT: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
/// The profile of a notification.
pub const NOTIFICATION: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4";
/// The profile of the status with which a notification begins.
pub const SUBSCRIPTION_STATUS: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
/// The guide's own codes.
pub const TEMP_CODES: &str = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes";

/// Profiles of resources; the same URLs in both versions (PAS 3.1).
pub mod profile {
    /// The first submission; the only target of `ClaimResponse.request` (trap T7).
    pub const CLAIM: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-claim";
    /// A changed submission; in 2.0.1 the first one too (trap T8).
    pub const CLAIM_UPDATE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-claim-update";
    /// What is answered to a submission.
    pub const CLAIM_RESPONSE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-claimresponse";
    /// What is answered to an inquiry.
    pub const INQUIRY_RESPONSE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-claiminquiryresponse";
    /// A submission.
    pub const REQUEST_BUNDLE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-request-bundle";
    /// The answer to a submission.
    pub const RESPONSE_BUNDLE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-response-bundle";
    /// What asks for a document.
    pub const COMMUNICATION_REQUEST: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-communicationrequest";
    /// One answer to an inquiry.
    pub const INQUIRY_RESPONSE_BUNDLE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-inquiry-response-bundle";
}

/// Extensions of a response; the same URLs in both versions (PAS 3.4, 3.18).
pub mod extension {
    /// The payer's verdict on a line, complex.
    pub const REVIEW_ACTION: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewAction";
    /// Its code: within it too by its absolute URL (trap T3).
    pub const REVIEW_ACTION_CODE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewActionCode";
    /// Part of the review action: the authorization number (X12 HCR02).
    pub const NUMBER: &str = "number";
    /// Part of the review action: why it was decided so.
    pub const REASON_CODE: &str = "reasonCode";
    /// The provider's own number of a line.
    pub const ITEM_TRACE_NUMBER: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemTraceNumber";
    /// When a line was authorized.
    pub const ITEM_ISSUE_DATE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemPreAuthIssueDate";
    /// From when to when the authorization of a line holds.
    pub const ITEM_PERIOD: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemPreAuthPeriod";
    /// The payer's number of a line that is not decided (X12 REF NT).
    pub const ADMINISTRATION_REFERENCE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-administrationReferenceNumber";
    /// The number of the authorization that a line had before (X12 REF BB).
    pub const AUTHORIZATION_NUMBER: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-authorizationNumber";
    /// Details of a line, complex: what was authorized; beside an added item, what was asked
    /// (trap T28).
    pub const ITEM_DETAIL: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemAuthorizedDetail";
    /// Part of the details: the product or service.
    pub const DETAIL_PRODUCT: &str = "productOrServiceCode";
    /// Part of the details: a modifier of the product or service.
    pub const DETAIL_MODIFIER: &str = "modifier";
    /// Part of the details: how much.
    pub const DETAIL_QUANTITY: &str = "quantity";
    /// From when to when the patient may be admitted; 2.2 only.
    pub const ADMISSION_DATES: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-admissionDates";
    /// When the patient is discharged; 2.2 only.
    pub const DISCHARGE_DATE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-dischargeDate";
    /// How a transmission was labelled, complex; 2.2 only.
    pub const TRANSMISSION: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-TransmissionIdentifiers";
    /// Part of the transmission identifiers: the application that sent (X12 GS02).
    pub const APPLICATION_SENDER: &str = "applicationSenderCode";
    /// Part of the transmission identifiers: the application that receives (X12 GS03).
    pub const APPLICATION_RECEIVER: &str = "applicationReceiverCode";
    /// Part of the transmission identifiers: who sent (X12 ISA06).
    pub const INTERCHANGE_SENDER: &str = "interchangeSenderID";
    /// Part of the transmission identifiers: who receives (X12 ISA08).
    pub const INTERCHANGE_RECEIVER: &str = "interchangeReceiverID";
    /// Which line a document is asked for.
    pub const SERVICE_LINE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-serviceLineNumber";
    /// Why something is not said.
    pub const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
    /// For when a line was asked.
    pub const ITEM_REQUESTED_DATE: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemRequestedServiceDate";
    /// Who may give the service, complex.
    pub const ITEM_PROVIDER: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-itemAuthorizedProvider";
    /// Part of the authorized provider: the provider.
    pub const PROVIDER: &str = "provider";
    /// Who reviewed, complex; 2.2 only.
    pub const REVIEWER: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-claimResponseReviewer";
    /// Part of the reviewer: whether a person looked.
    pub const HUMAN_REVIEWED: &str = "wasHumanReviewedFlag";
    /// Part of the reviewer: the person's NPI.
    pub const REVIEWER_NPI: &str = "reviewerNPI";
    /// Of an error: what to do about it.
    pub const ERROR_FOLLOW_UP: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-errorFollowupAction";
    /// Of an error: the element at fault, as a FHIRPath.
    pub const ERROR_PATH: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-errorPath";
    /// Of an error: what is wrong; a string in 2.0.1, complex in 2.2.
    pub const ERROR_ELEMENT: &str =
        "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-errorElement";
    /// Part of the error element: the number of the note that says it.
    pub const PROCESS_NOTE: &str = "processNote";
    /// Part of the error element: what is wrong.
    pub const ERROR: &str = "error";
}

/// The X12 code system of data element 306: what was done with a line.
pub const X12_ACTION: &str = "https://codesystem.x12.org/005010/306";
/// The X12 code system of decision reasons (external code list 886).
pub const X12_REASON: &str = "https://codesystem.x12.org/external/886";

/// The X12 code system of data element 901: why a request was rejected.
pub const X12_REJECT: &str = "https://codesystem.x12.org/005010/901";
/// The X12 code system of data element 889: what to do about it.
pub const X12_FOLLOW_UP: &str = "https://codesystem.x12.org/005010/889";

/// The X12 code system of data element 755: kinds of report.
pub const X12_REPORT_TYPE: &str = "https://codesystem.x12.org/005010/755";
/// In [`TEMP_CODES`]: by CDex `$submit-attachment`, as a medium.
pub const MEDIUM_CDEX: &str = "CDEX";
/// The X12 code system of data element 673: what a quantity counts.
pub const X12_QUANTITY: &str = "https://codesystem.x12.org/005010/673";

/// What was done with a line (X12 306), without the displays, which X12 licenses (trap T31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReviewAction {
    /// A1: certified as asked.
    Certified,
    /// A2: certified in part.
    PartlyCertified,
    /// A3: not certified.
    NotCertified,
    /// A4: not decided yet.
    Pended,
    /// A6: certified with changes.
    Modified,
    /// C: the line was withdrawn.
    Cancelled,
    /// NA: no authorization is needed.
    NotRequired,
}

impl ReviewAction {
    /// The code in [`X12_ACTION`].
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ReviewAction::Certified => "A1",
            ReviewAction::PartlyCertified => "A2",
            ReviewAction::NotCertified => "A3",
            ReviewAction::Pended => "A4",
            ReviewAction::Modified => "A6",
            ReviewAction::Cancelled => "C",
            ReviewAction::NotRequired => "NA",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment_names_exactly_one_version() {
        for version in PasVersion::ALL {
            assert_eq!(PasVersion::from_segment(version.number()), Some(version));
            assert_eq!(version.path(), format!("/pas/{}", version.number()));
        }
        assert_eq!(PasVersion::from_segment("2.1.0"), None);
    }
}
