//! Codes, which never travel without their system.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// A code system, whatever the spelling of its URI (clinical.md N31).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// Diagnoses of the US clinical modification.
    Icd10Cm,
    /// Inpatient procedures of the US.
    Icd10Pcs,
    /// SNOMED CT, any edition.
    SnomedCt,
    /// LOINC.
    Loinc,
    /// RxNorm.
    RxNorm,
    /// National Drug Codes, kept in their 11-digit form where that can be told.
    Ndc,
    /// HCPCS level II.
    Hcpcs,
    /// CPT.
    Cpt,
    /// NUCC provider taxonomy.
    Nucc,
    /// CMS place of service.
    PlaceOfService,
    /// ICD-O-3 morphology.
    IcdO3,
    /// HL7 v3 `ActCode` and the encounter classes in it.
    ActCode,
    /// HGNC gene identifiers.
    Hgnc,
    /// Units of measure.
    Ucum,
    /// Any other, by its URI, which is written with `http` whatever it came with.
    Other(Box<str>),
}

/// The URIs of each system that has a name here; the first is the one we write.
const URIS: &[(System, &[&str])] = &[
    (System::Icd10Cm, &["http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90"]),
    (
        System::Icd10Pcs,
        &[
            "http://www.cms.gov/Medicare/Coding/ICD10",
            "http://hl7.org/fhir/sid/icd-10-pcs",
            "urn:oid:2.16.840.1.113883.6.4",
        ],
    ),
    (System::SnomedCt, &["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"]),
    (System::Loinc, &["http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"]),
    (
        System::RxNorm,
        &["http://www.nlm.nih.gov/research/umls/rxnorm", "urn:oid:2.16.840.1.113883.6.88"],
    ),
    (System::Ndc, &["http://hl7.org/fhir/sid/ndc", "urn:oid:2.16.840.1.113883.6.69"]),
    (
        System::Hcpcs,
        &[
            "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
            "urn:oid:2.16.840.1.113883.6.285",
            "https://bluebutton.cms.gov/resources/codesystem/hcpcs",
        ],
    ),
    (System::Cpt, &["http://www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.12"]),
    (System::Nucc, &["http://nucc.org/provider-taxonomy", "urn:oid:2.16.840.1.113883.6.101"]),
    (
        System::PlaceOfService,
        &["https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"],
    ),
    (
        System::IcdO3,
        &["http://terminology.hl7.org/CodeSystem/icd-o-3", "urn:oid:2.16.840.1.113883.6.43.1"],
    ),
    (
        System::ActCode,
        &["http://terminology.hl7.org/CodeSystem/v3-ActCode", "urn:oid:2.16.840.1.113883.5.4"],
    ),
    (System::Hgnc, &["http://www.genenames.org", "http://www.genenames.org/geneId"]),
    (System::Ucum, &["http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"]),
];

/// [`URIS`] by what two spellings of the same URI share.
static KNOWN: LazyLock<HashMap<String, System>> = LazyLock::new(|| {
    let all = URIS.iter().flat_map(|(system, uris)| uris.iter().map(move |uri| (system, uri)));
    all.map(|(system, uri)| (without_scheme(uri).to_ascii_lowercase(), system.clone())).collect()
});

impl System {
    /// The system that `uri` means.
    ///
    /// `http` and `https` in capitals or not, a final slash, a version behind `|`, and the known aliases are all
    /// the same system.
    #[must_use]
    pub fn from_uri(uri: &str) -> System {
        let bare = uri.trim().split('|').next().unwrap_or_default().trim_end_matches('/');
        let key = without_scheme(bare).to_ascii_lowercase();
        if let Some(system) = KNOWN.get(&key) {
            return system.clone();
        }
        if key.starts_with("snomed.info/sct/") {
            return System::SnomedCt;
        }
        let unsecured = behind_scheme(bare).map(|rest| format!("http://{rest}"));
        System::Other(unsecured.unwrap_or_else(|| bare.to_owned()).into())
    }

    /// The URI that we write for it.
    #[must_use]
    pub fn uri(&self) -> &str {
        if let System::Other(uri) = self {
            return uri;
        }
        URIS.iter()
            .find(|(system, _)| system == self)
            .and_then(|(_, uris)| uris.first().copied())
            .unwrap_or_default()
    }
}

fn without_scheme(uri: &str) -> &str {
    let uri = behind_scheme(uri).unwrap_or(uri);
    uri.strip_prefix("www.").unwrap_or(uri)
}

/// What stands behind `http` or `https`, in capitals or not.
fn behind_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme)).then_some(rest)
}

/// A code in its system, both in one spelling so that equality means the same code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coding {
    /// Whose code it is.
    pub system: System,
    /// The code, normalised as [`Coding::new`] says.
    pub code: Box<str>,
    /// The hash of both. A code is made once and looked up in many sets.
    key: u64,
}

impl Hash for Coding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key);
    }
}

impl Coding {
    /// A code in one spelling: trimmed; ICD codes in capitals and with their dot; NDC with 11
    /// digits; HCPCS, CPT, ICD-10-PCS, NUCC, LOINC and HGNC in capitals.
    #[must_use]
    pub fn new(system: System, code: &str) -> Coding {
        let code = code.trim();
        let code: Box<str> = match system {
            System::Icd10Cm => icd10_cm(code).into(),
            System::Ndc => ndc(code).into(),
            System::Hcpcs
            | System::Cpt
            | System::Icd10Pcs
            | System::Nucc
            | System::Loinc
            | System::Hgnc => code.to_ascii_uppercase().into(),
            _ => code.into(),
        };
        let mut hasher = DefaultHasher::new();
        (&system, &code).hash(&mut hasher);
        let key = hasher.finish();
        Coding { system, code, key }
    }

    /// [`Coding::new`] from the system's URI.
    #[must_use]
    pub fn from_uri(uri: &str, code: &str) -> Coding {
        Coding::new(System::from_uri(uri), code)
    }
}

/// `c4359` and `C43.59` are the same.
fn icd10_cm(code: &str) -> String {
    let bare: String = code.chars().filter(|c| *c != '.').collect::<String>().to_ascii_uppercase();
    match (bare.get(..3), bare.get(3..)) {
        (Some(category), Some(rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        _ => bare,
    }
}

/// The 11-digit form (5-4-2) of an NDC.
///
/// With hyphens the short segment is filled with a zero.
/// Ten digits without hyphens are read as 4-4-2 if they begin with 0 and as 5-3-2 otherwise:
/// labelers with four digits all begin with 0, and a labeler with five keeps to one form, so a
/// wrong reading can miss a product of another labeler but cannot hit one.
/// A product without package keeps its two segments.
fn ndc(code: &str) -> String {
    let segments: Vec<&str> = code.split('-').collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !segments.iter().all(|segment| digits(segment)) {
        return code.to_owned();
    }
    match segments.as_slice() {
        [labeler, product, package] => format!("{labeler:0>5}{product:0>4}{package:0>2}"),
        [labeler, product] => format!("{labeler:0>5}-{product:0>4}"),
        [plain] if plain.len() == 10 && plain.starts_with('0') => format!("0{plain}"),
        [plain] if plain.len() == 10 => {
            let (labeler, rest) = plain.split_at(5);
            format!("{labeler}0{rest}")
        }
        _ => code.to_owned(),
    }
}

/// What a FHIR `CodeableConcept` says: every coding, and the words beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concept {
    /// All codings; each may say something of its own.
    pub codings: Vec<Coding>,
    /// The text, and the displays if there is none. Words prove nothing; they can be asked about.
    pub text: Option<Box<str>>,
}

impl Concept {
    /// A concept of one code, for tests and for codes that stand alone.
    #[must_use]
    pub fn of(coding: Coding) -> Concept {
        Concept { codings: vec![coding], text: None }
    }

    /// How to name it to a person: its words, else its first code, else nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text
            .as_deref()
            .or_else(|| self.codings.first().map(|coding| &*coding.code))
            .unwrap_or("(no code)")
    }

    /// Whether the words contain one of `names`, ignoring case.
    #[must_use]
    pub fn mentions(&self, names: &[String]) -> bool {
        let Some(text) = &self.text else { return false };
        let text = text.to_lowercase();
        names.iter().any(|name| text.contains(&name.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_uri_is_its_own_systems_in_other_spellings_too() {
        for (system, uris) in URIS {
            for uri in *uris {
                let loud = uri.replacen("http://", "HTTPS://", 1);
                for spelled in [(*uri).to_owned(), loud, format!("{uri}/|1.0")] {
                    assert_eq!(&System::from_uri(&spelled), system, "{spelled}");
                }
            }
        }
    }

    #[test]
    fn spellings_of_a_uri_are_one_system() {
        for uri in [
            "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
            "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
            "urn:oid:2.16.840.1.113883.6.285",
            "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets/",
        ] {
            assert_eq!(System::from_uri(uri), System::Hcpcs, "{uri}");
        }
        assert_eq!(System::from_uri("HTTPS://Loinc.org"), System::Loinc);
        assert_eq!(
            System::from_uri("HTTP://www.whocc.no/atc"),
            System::from_uri("https://www.whocc.no/atc")
        );
        assert_eq!(System::from_uri("http://snomed.info/sct/731000124108"), System::SnomedCt);
        assert_eq!(System::from_uri("http://loinc.org|2.77"), System::Loinc);
        assert_eq!(
            System::from_uri("https://www.whocc.no/atc"),
            System::from_uri("http://www.whocc.no/atc")
        );
        assert_eq!(
            System::from_uri("http://loinc.example"),
            System::Other("http://loinc.example".into())
        );
    }

    #[test]
    fn spellings_of_a_code_are_one_code() {
        let ndc = |code| Coding::new(System::Ndc, code).code;
        for code in ["73776-001-11", "73776-0001-11", "73776000111", "7377600111"] {
            assert_eq!(&*ndc(code), "73776000111", "{code}");
        }
        assert_eq!(&*ndc("0003-7125-11"), "00003712511");
        assert_eq!(&*ndc("0003712511"), "00003712511");
        assert_eq!(&*ndc("73776-001"), "73776-0001");
        let icd = |code| Coding::new(System::Icd10Cm, code).code;
        for code in ["C43.59", "C4359", "c43.59", " C43.59 "] {
            assert_eq!(&*icd(code), "C43.59", "{code}");
        }
        assert_eq!(&*icd("C43"), "C43");
        assert_eq!(&*Coding::new(System::Loinc, "la9634-2").code, "LA9634-2");
    }
}
