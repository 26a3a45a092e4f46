//! Da Vinci Coverage Requirements Discovery, 2.0.1 and 2.2.x: crd.md 1.5 as tables.

/// A version of the guide that has a discovery root of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CrdVersion {
    /// 2.0.1, on CDS Hooks 2.0.
    V2_0,
    /// 2.2.0 and 2.2.1, which have the same content.
    V2_2,
}

/// The coverage-information extension (crd.md 3.4).
pub const COVERAGE_INFORMATION: &str =
    "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information";
/// The guide's own codes: reasons in both versions, everything else in 2.0.1.
pub const TEMP: &str = "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp";
/// The member of a card's `extension` that says which orders the card is about.
pub const ASSOCIATED_RESOURCE: &str = "davinci-crd.associated-resource";
/// The member of a service's `extension` that lists versions (CRD 2.2.1 dev-1).
pub const VERSION_EXTENSION: &str = "davinci-crd.version";
/// The member of a service's `extension` that lists options (CRD 2.2.1 dev-5).
pub const CONFIGURATION_EXTENSION: &str = "davinci-crd.configuration-options";

/// Why a proposal is not followed: the system, and codes with their displays
/// (HL7/cds-hooks: input/vocabulary/CodeSystem-non-adherence-reason-codes.json).
pub const OVERRIDE_REASONS: (&str, &[(&str, &str)]) = (
    "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
    &[
        ("cds-not-applicable", "PC CDS does not apply to patient"),
        ("action-completed", "Recommended action was already completed"),
        (
            "recipient-disagrees-evidence",
            "Recipient disagrees with recommendation because of issues with the evidence",
        ),
        ("patient-contraindication", "Patient has contraindication to recommended action"),
        ("patient-refuses", "Patient refuses/declines (no context given)*"),
        ("service-not-available", "Treatment or service is not practically available"),
    ],
);
/// The codes of SDC's tasks: `complete-questionnaire`, `questionnaire`.
pub const SDC_TEMP: &str = "http://hl7.org/fhir/uv/sdc/CodeSystem/temp";

impl CrdVersion {
    /// Every version that we serve, oldest first.
    pub const ALL: [CrdVersion; 2] = [CrdVersion::V2_0, CrdVersion::V2_2];

    /// The path segment below `/crd/`: major and minor.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            CrdVersion::V2_0 => "2.0",
            CrdVersion::V2_2 => "2.2",
        }
    }

    /// The version that a path segment names.
    #[must_use]
    pub fn from_segment(segment: &str) -> Option<CrdVersion> {
        CrdVersion::ALL.into_iter().find(|version| version.segment() == segment)
    }

    /// The version whose words a client asks for in its call: `2.2`, or with a patch.
    #[must_use]
    pub fn requested(text: &str) -> Option<CrdVersion> {
        let mut numbers = text.trim().split('.');
        let (major, minor) = (numbers.next()?, numbers.next()?);
        CrdVersion::from_segment(&format!("{major}.{minor}"))
    }

    /// What a service declares in [`VERSION_EXTENSION`].
    ///
    /// 2.0.1 does not know it, and the invariant crdver-1 does not even allow `2.0` (trap 5).
    #[must_use]
    pub fn declared(self) -> Option<&'static str> {
        match self {
            CrdVersion::V2_0 => None,
            CrdVersion::V2_2 => Some("2.2"),
        }
    }

    /// The code system of a card's topic and of the configuration options.
    #[must_use]
    pub fn topics(self) -> &'static str {
        match self {
            CrdVersion::V2_0 => TEMP,
            CrdVersion::V2_2 => "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
        }
    }

    /// The code system of `detail.code`.
    #[must_use]
    pub fn details(self) -> &'static str {
        match self {
            CrdVersion::V2_0 => TEMP,
            CrdVersion::V2_2 => "http://terminology.hl7.org/CodeSystem/crd-coverage-detail",
        }
    }

    /// Whether coverage information may stand on a resource of this type.
    ///
    /// 2.0.1 leaves Appointment out of its list by a slip, and means it (crd.md 1.5).
    #[must_use]
    pub fn annotates(self, kind: &str) -> bool {
        match kind {
            "Appointment"
            | "CommunicationRequest"
            | "DeviceRequest"
            | "MedicationRequest"
            | "NutritionOrder"
            | "ServiceRequest" => true,
            "VisionPrescription" => self != CrdVersion::V2_0,
            _ => false,
        }
    }

    /// Whether an Appointment that carries out an order is answered on the order (crd.md 3.5).
    #[must_use]
    pub fn answers_on_order(self) -> bool {
        match self {
            CrdVersion::V2_0 => false,
            CrdVersion::V2_2 => true,
        }
    }

    /// How a card names the orders that it is about.
    #[must_use]
    pub fn associated(self) -> Associated {
        match self {
            CrdVersion::V2_0 => Associated::Text,
            CrdVersion::V2_2 => Associated::Reference,
        }
    }

    /// Whether an answer without an action has an empty `systemActions` (rulings 29).
    #[must_use]
    pub fn shows_empty_actions(self) -> bool {
        match self {
            CrdVersion::V2_0 => true,
            CrdVersion::V2_2 => false,
        }
    }

    /// `pa-needed` beside `covered` = `not-covered`.
    ///
    /// 2.0.1's crd-ci-q2 fires whenever it is absent; 2.2's forbids it there (rulings 43).
    #[must_use]
    pub fn pa_needed_when_not_covered(self) -> Option<&'static str> {
        match self {
            CrdVersion::V2_0 => Some("no-auth"),
            CrdVersion::V2_2 => None,
        }
    }

    /// Whether `doc-needed` may stand several times; else `both` means two.
    #[must_use]
    pub fn repeats_doc_needed(self) -> bool {
        match self {
            CrdVersion::V2_0 => false,
            CrdVersion::V2_2 => true,
        }
    }

    /// Whether `doc-purpose` = `withpa` passes the validator (rulings 43: 2.2's crd-ci-q4).
    #[must_use]
    pub fn allows_with_pa(self) -> bool {
        match self {
            CrdVersion::V2_0 => true,
            CrdVersion::V2_2 => false,
        }
    }

    /// Whether `expiry-date` exists, and with it the details that link or instruct.
    #[must_use]
    pub fn has_later_elements(self) -> bool {
        match self {
            CrdVersion::V2_0 => false,
            CrdVersion::V2_2 => true,
        }
    }

    /// Whether clients may switch off determinations that they did not ask for (crd.md 3.2).
    #[must_use]
    pub fn knows_unsolicited(self) -> bool {
        match self {
            CrdVersion::V2_0 => false,
            CrdVersion::V2_2 => true,
        }
    }

    /// The code for what cannot be told: 2.0.1 has none (crd.md 3.9).
    #[must_use]
    pub fn indeterminate(self) -> &'static str {
        match self {
            CrdVersion::V2_0 => "conditional",
            CrdVersion::V2_2 => "indeterminate",
        }
    }

    /// Whether the Task of a form has a coded reason, and says what is done with its answers
    /// (crd.md 1.5).
    #[must_use]
    pub fn task_says_what_follows(self) -> bool {
        match self {
            CrdVersion::V2_0 => true,
            CrdVersion::V2_2 => false,
        }
    }

    /// Which reason codes exist in [`TEMP`]; all other reasons have words alone.
    #[must_use]
    pub fn reason_codes(self) -> &'static [&'static str] {
        match self {
            CrdVersion::V2_0 => &["gold-card", "detail-code"],
            CrdVersion::V2_2 => &[
                "gold-card",
                "no-member-found",
                "no-active-coverage",
                "coverage-not-found",
                "auth-out-network",
                "technical",
            ],
        }
    }

    /// Which `info-needed` codes exist.
    #[must_use]
    pub fn info_codes(self) -> &'static [&'static str] {
        match self {
            CrdVersion::V2_0 => &["performer", "location", "timeframe", "contract-window", "OTH"],
            CrdVersion::V2_2 => {
                &["performer", "location", "timeframe", "contract-window", "detail-code", "OTH"]
            }
        }
    }
}

/// The form of [`ASSOCIATED_RESOURCE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Associated {
    /// `["MedicationRequest/1"]`
    Text,
    /// `[{"reference": "MedicationRequest/1"}]`
    Reference,
}

/// What a card is about; both versions know these codes with these displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Coverage information.
    CoverageInfo,
    /// A policy or guideline.
    Guideline,
    /// What goes with the claim.
    Claim,
    /// Something is wrong with the coverage.
    Insurance,
    /// Another therapy that may be chosen.
    OptionalAlternative,
    /// Another therapy that has to be tried first.
    RequiredAlternative,
    /// Something that is due beside the order.
    Reminder,
}

impl Topic {
    /// The code in [`CrdVersion::topics`].
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Topic::CoverageInfo => "coverage-info",
            Topic::Guideline => "guideline",
            Topic::Claim => "claim",
            Topic::Insurance => "insurance",
            Topic::OptionalAlternative => "therapy-alternatives-opt",
            Topic::RequiredAlternative => "therapy-alternatives-req",
            Topic::Reminder => "clinical-reminder",
        }
    }

    /// What the code means, for people.
    #[must_use]
    pub fn display(self) -> &'static str {
        match self {
            Topic::CoverageInfo => "Coverage Information",
            Topic::Guideline => "Guideline",
            Topic::Claim => "Claim",
            Topic::Insurance => "Insurance",
            Topic::OptionalAlternative => "Optional Therapy Alternatives",
            Topic::RequiredAlternative => "Required Therapy Alternatives",
            Topic::Reminder => "Clinical Reminder",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment_names_exactly_one_version() {
        for version in CrdVersion::ALL {
            assert_eq!(CrdVersion::from_segment(version.segment()), Some(version));
        }
        assert_eq!(CrdVersion::from_segment("2.1"), None);
    }
}
