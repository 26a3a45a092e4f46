//! Which rows of the code table make which value set.
//!
//! The table of codes names each row by its set and its relation to the policy.
//! Here stands only the choice; the codes are never typed again.

/// A value set and where its codes come from.
pub(crate) struct Set {
    /// The last part of its URL, and the name of its file.
    pub(crate) id: &'static str,
    /// What is in it, as one sentence.
    pub(crate) says: &'static str,
    /// Rows of the code table.
    pub(crate) rows: &'static [Rows],
    /// ICD-10-CM categories that hold with all below them, besides those of the rows.
    pub(crate) categories: &'static [&'static str],
    /// Codes of FHIR's own terminology, which the code table does not list: system and code.
    pub(crate) fhir: &'static [(&'static str, &'static str)],
}

/// Rows of one set of the code table.
pub(crate) struct Rows {
    /// The first column.
    pub(crate) set: &'static str,
    /// The relation: exact, or the beginning of it with a `*` at the end.
    pub(crate) relation: &'static str,
    /// Which of these rows.
    pub(crate) only: Only,
}

/// A further choice among rows.
pub(crate) enum Only {
    /// All of them.
    All,
    /// Those with one of these codes.
    Codes(&'static [&'static str]),
    /// All but those with one of these codes.
    Not(&'static [&'static str]),
    /// Those whose code begins with one of these.
    Under(&'static [&'static str]),
    /// Those whose display begins with one of these.
    Named(&'static [&'static str]),
}

const fn set(id: &'static str, says: &'static str, rows: &'static [Rows]) -> Set {
    Set { id, says, rows, categories: &[], fhir: &[] }
}

const fn all(set: &'static str, relation: &'static str) -> Rows {
    Rows { set, relation, only: Only::All }
}

const fn codes(set: &'static str, codes: &'static [&'static str]) -> Rows {
    Rows { set, relation: "*", only: Only::Codes(codes) }
}

const fn named(set: &'static str, relation: &'static str, names: &'static [&'static str]) -> Rows {
    Rows { set, relation, only: Only::Named(names) }
}

const fn under(set: &'static str, relation: &'static str, codes: &'static [&'static str]) -> Rows {
    Rows { set, relation, only: Only::Under(codes) }
}

impl Set {
    const fn with(self, categories: &'static [&'static str]) -> Set {
        Set { categories, ..self }
    }

    const fn and(self, fhir: &'static [(&'static str, &'static str)]) -> Set {
        Set { fhir, ..self }
    }
}

/// Primary cancers other than melanoma: the malignant categories of ICD-10-CM without melanoma
/// (C43), other skin cancers (C44), secondaries (C77 to C79, C7B) and C80.
const OTHER_PRIMARY: &[&str] = &[
    "C00", "C01", "C02", "C03", "C04", "C05", "C06", "C07", "C08", "C09", "C10", "C11", "C12",
    "C13", "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21", "C22", "C23", "C24", "C25",
    "C26", "C30", "C31", "C32", "C33", "C34", "C37", "C38", "C39", "C40", "C41", "C45", "C46",
    "C47", "C48", "C49", "C4A", "C50", "C51", "C52", "C53", "C54", "C55", "C56", "C57", "C58",
    "C60", "C61", "C62", "C63", "C64", "C65", "C66", "C67", "C68", "C69", "C70", "C71", "C72",
    "C73", "C74", "C75", "C76", "C7A", "C80.1", "C81", "C82", "C83", "C84", "C85", "C86", "C88",
    "C90", "C91", "C92", "C93", "C94", "C95", "C96",
];

/// HL7 v3 `ObservationInterpretation`, the codes of `Observation.interpretation`.
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

/// All value sets of the policy, in the order of its clauses.
pub(crate) const SETS: &[Set] = &[
    // Criterion 1
    set(
        "melanoma",
        "Diagnoses of melanoma, whatever its extent.",
        &[
            all("c1-melanoma-icd10cm", "member"),
            all("c1-melanoma-snomed", "member"),
            all("c1-melanoma-snomed", "member; ALSO asserts BRAF*"),
            all("c1-melanoma-snomed", "member (melanoma; local recurrence*"),
        ],
    ),
    set(
        "melanoma-metastatic",
        "Diagnoses that say melanoma and metastasis in one code.",
        &[all("c1-melanoma-snomed", "member-metastatic")],
    ),
    set(
        "melanoma-ocular",
        "Diagnoses of melanoma of the eye and its adnexa, which go to a person.",
        &[all("c1-melanoma-snomed", "member-ocular*")],
    ),
    set(
        "melanoma-doubtful",
        "Diagnoses near melanoma that only a person can place.",
        &[all("c1-melanoma-snomed", "review"), all("c1-morphology-icdo3", "member-review*")],
    ),
    set(
        "melanoma-in-situ",
        "Diagnoses of melanoma in situ, which is no invasive melanoma.",
        &[all("c1-in-situ-icd10cm", "excluded"), codes("c1-melanoma-snomed", &["189758001"])],
    )
    .with(&["D03"]),
    set(
        "melanoma-history",
        "Codes that say that melanoma is in the past.",
        &[
            codes("c1-not-current-icd10cm", &["Z85.820", "Z86.006"]),
            codes("c1-melanoma-snomed", &["161432005"]),
        ],
    ),
    set(
        "benign-skin",
        "Benign melanocytic lesions of the skin.",
        &[codes("c1-not-current-icd10cm", &["D22.9"])],
    )
    .with(&["D22"]),
    set(
        "other-skin-cancer",
        "Cancer of the skin other than melanoma.",
        &[codes("c1-not-melanoma-icd10cm", &["C44"])],
    ),
    set(
        "melanoma-morphology",
        "Morphologies of invasive melanoma, which make a site code a melanoma.",
        &[all("c1-morphology-icdo3", "member"), all("c1-morphology-snomed", "member")],
    ),
    set(
        "melanoma-morphology-in-situ",
        "Morphologies of melanoma in situ.",
        &[
            all("c1-morphology-icdo3", "excluded (behaviour /2)"),
            codes("c1-morphology-snomed", &["61217001"]),
        ],
    ),
    set(
        "melanoma-morphology-ocular",
        "Morphologies of melanoma of the eye.",
        &[all("c1-morphology-icdo3", "member-ocular*")],
    ),
    set(
        "mucosal-site",
        "Sites other than skin, under which mucosal melanoma is coded; they need a morphology.",
        &[all("c1-noncutaneous-site-icd10cm", "needs-morphology")],
    ),
    set(
        "ocular-site",
        "Sites in the eye, under which ocular melanoma is coded; they need a morphology.",
        &[all("c1-ocular-site-icd10cm", "review (site code*")],
    ),
    set(
        "secondary-distant",
        "Distant secondaries, which count for melanoma only with a link to it.",
        &[all("c1-secondary-icd10cm-distant", "needs-link")],
    ),
    set(
        "secondary-regional",
        "Secondaries that may be regional and therefore need a link and a stage.",
        &[
            all("c1-secondary-icd10cm-nodes", "needs-link-and-stage"),
            all("c1-secondary-icd10cm-distant", "needs-link-and-stage"),
        ],
    ),
    set(
        "secondary-unspecific",
        "Secondary cancer without site and without primary.",
        &[codes("c1-metastatic-snomed", &["128462008"])],
    ),
    set(
        "distant-metastasis-finding",
        "The finding that a distant metastasis is present.",
        &[codes("c1-metastatic-snomed", &["399409002"])],
    ),
    set(
        "other-primary",
        "Primary cancers other than melanoma; non-melanoma skin cancer is none of them.",
        &[],
    )
    .with(OTHER_PRIMARY),
    set(
        "stage-group-code",
        "What an Observation of a stage group is coded with.",
        &[all("c1-stage-code", "member*")],
    ),
    set(
        "m-category-code",
        "What an Observation of an M category is coded with.",
        &[all("c1-m-category-code", "member*")],
    ),
    set(
        "stage-iv",
        "Values that say stage IV or M1.",
        &[
            all("c1-stage-value", "stage-IV*"),
            all("c1-stage-value-legacy", "stage-IV*"),
            all("c1-stage-value-text", "stage-IV*"),
        ],
    ),
    set(
        "stage-iii",
        "Values that say stage III, which says nothing about resection.",
        &[
            all("c1-stage-value", "stage-III*"),
            all("c1-stage-value-legacy", "stage-III*"),
            all("c1-stage-value-text", "stage-III*"),
        ],
    ),
    set(
        "stage-0-to-ii",
        "Values that say stage 0, I or II.",
        &[all("c1-stage-value", "stage-II (*")],
    ),
    set(
        "m0",
        "Values that say that there was no distant metastasis on that date.",
        &[all("c1-stage-value", "M0*")],
    ),
    set(
        "metastatic-history-code",
        "What an Observation of a history of metastasis is coded with; its value may deny it.",
        &[codes("c1-metastatic-snomed", &["1287652008"])],
    ),
    set(
        "disease-status-code",
        "What an Observation of the course of the cancer is coded with.",
        &[codes("c4-disease-status-code", &["97509-4"])],
    ),
    set(
        "disease-worsened",
        "Values that say that the cancer got worse.",
        &[all("c4-disease-status-value", "member-progression")],
    ),
    set(
        "disease-not-worsened",
        "Values that say that the cancer did not get worse.",
        &[all("c4-disease-status-value", "not progression")],
    ),
    set(
        "remission-full",
        "The value that says full remission.",
        &[codes("c4-disease-status-value", &["550991000124107"])],
    ),
    // Criterion 3
    set(
        "oncologist",
        "Specialties that are an oncologist's beyond doubt.",
        &[
            all("c3-oncologist-nucc", "member (tier A)"),
            all("c3-oncologist-snomed", "member (tier A)"),
        ],
    ),
    set(
        "oncologist-by-title",
        "Specialties that carry oncology in their title; the plan decides whether they suffice.",
        &[
            all("c3-oncologist-nucc", "review (tier B*"),
            all("c3-oncologist-snomed", "review (tier B*"),
        ],
    ),
    set(
        "oncology-team",
        "Specialties that are not enough alone: the oncologist of record must be named.",
        &[all("c3-oncologist-nucc", "insufficient alone*")],
    ),
    set(
        "not-oncologist",
        "Specialties that are not an oncologist's, some of them with oncology in their name.",
        &[all("c3-oncologist-nucc", "excluded*")],
    ),
    // Criterion 4
    set(
        "pd1-nivolumab",
        "Nivolumab, with its subcutaneous form.",
        &[
            named("c4-pd1-rxnorm", "member*", &["nivolumab (", "nivolumab and hyaluronidase"]),
            codes("c4-checkpoint-hcpcs", &["J9299", "J9289"]),
            named("c4-checkpoint-ndc", "member*", &["Opdivo"]),
            codes("c4-checkpoint-atc", &["L01FF01"]),
        ],
    ),
    set(
        "pd1-pembrolizumab",
        "Pembrolizumab, with its subcutaneous form.",
        &[
            named("c4-pd1-rxnorm", "member*", &["pembrolizumab"]),
            codes("c4-checkpoint-hcpcs", &["J9271"]),
            named("c4-checkpoint-ndc", "member*", &["Keytruda"]),
            codes("c4-checkpoint-atc", &["L01FF02"]),
        ],
    ),
    set(
        "pd1-nivolumab-relatlimab",
        "Nivolumab with relatlimab.",
        &[
            named("c4-pd1-rxnorm", "member*", &["nivolumab / relatlimab"]),
            codes("c4-checkpoint-hcpcs", &["J9298"]),
            named("c4-checkpoint-ndc", "member*", &["Opdualag"]),
            codes("c4-checkpoint-atc", &["L01FY02"]),
        ],
    ),
    set(
        "pd1-other",
        "PD-1 antibodies without a melanoma label, which go to a person.",
        &[
            all("c4-pd1-other-rxnorm", "review*"),
            all("c4-checkpoint-hcpcs", "review*"),
            all("c4-checkpoint-ndc", "review*"),
            all("c4-checkpoint-atc", "review*"),
        ],
    ),
    set(
        "pd-l1",
        "PD-L1 antibodies, which are no PD-1 antibodies.",
        &[
            all("c4-pdl1-rxnorm", "excluded (PD-L1)"),
            all("c4-checkpoint-hcpcs", "excluded (PD-L1)"),
            all("c4-checkpoint-ndc", "excluded (PD-L1)"),
            all("c4-checkpoint-atc", "excluded (PD-L1)"),
        ],
    ),
    set(
        "ctla4",
        "CTLA-4 antibodies, which are no PD-1 antibodies.",
        &[
            all("c4-ctla4-rxnorm", "excluded (CTLA-4)"),
            all("c4-checkpoint-hcpcs", "excluded (CTLA-4)"),
        ],
    ),
    set(
        "checkpoint-history",
        "Histories of a checkpoint inhibitor that do not say of which.",
        &[codes("c4-exposure-icd10cm", &["Z92.26"])],
    ),
    set(
        "checkpoint-adverse-effect",
        "An adverse effect of some checkpoint inhibitor; it does not say of which.",
        &[all("c4-adverse-icd10cm", "supporting*")],
    ),
    set(
        "stop-no-response",
        "Reasons to stop that say that the treatment did not work.",
        &[all("c4-stop-reason", "member-inadequate-response")],
    ),
    set(
        "stop-adverse-reaction",
        "Reasons to stop that say that the treatment was not tolerated.",
        &[all("c4-stop-reason", "member-adverse-reaction")],
    ),
    set(
        "stop-other",
        "Reasons to stop that are no failure of the treatment.",
        &[all("c4-stop-reason", "excluded (not a failure)")],
    ),
    set(
        "stop-pregnancy",
        "Pregnancy as a reason to stop: no failure, but it bears on the limitation.",
        &[codes("c4-stop-reason", &["77386006"])],
    ),
    // Criterion 5
    set(
        "braf-vemurafenib",
        "Vemurafenib.",
        &[
            named("c5-braf-inhibitor-rxnorm", "member", &["vemurafenib"]),
            codes("c5-targeted-atc", &["L01EC01"]),
        ],
    ),
    set(
        "braf-dabrafenib",
        "Dabrafenib.",
        &[
            named("c5-braf-inhibitor-rxnorm", "member", &["dabrafenib"]),
            codes("c5-targeted-atc", &["L01EC02"]),
            named("c5-targeted-ndc", "member", &["Tafinlar"]),
        ],
    ),
    set(
        "braf-encorafenib",
        "Encorafenib.",
        &[
            named("c5-braf-inhibitor-rxnorm", "member", &["encorafenib"]),
            codes("c5-targeted-atc", &["L01EC03"]),
            named("c5-targeted-ndc", "member", &["Braftovi"]),
        ],
    ),
    set(
        "raf-other",
        "Other RAF inhibitors, without a melanoma label.",
        &[all("c5-raf-other-rxnorm", "review*"), all("c5-targeted-ndc", "review*")],
    ),
    set(
        "mek",
        "MEK inhibitors, which are no BRAF inhibitors.",
        &[
            all("c5-mek-inhibitor-rxnorm", "supporting-only*"),
            all("c5-targeted-atc", "supporting-only*"),
            all("c5-targeted-ndc", "supporting-only*"),
        ],
    ),
    set(
        "braf-gene-test",
        "Tests of the BRAF gene whose negative answer covers codon 600.",
        &[codes("c5-braf-loinc", &["53844-7"]), codes("c5-braf-observable", &["447206003"])],
    ),
    set(
        "braf-v600e-stain",
        "The stain for V600E: positive counts, negative leaves V600K and others open.",
        &[codes("c5-braf-loinc", &["85299-6"])],
    ),
    set(
        "variant-assessment",
        "The assessment of a variant, which needs its gene and its change.",
        &[codes("c5-braf-loinc", &["69548-6"])],
    ),
    set("braf-gene", "The BRAF gene.", &[all("c5-braf-gene", "member*")]),
    set(
        "gene-component",
        "The component that names the gene.",
        &[codes("c5-braf-loinc", &["48018-6"])],
    ),
    set(
        "protein-change-component",
        "The component that names the change of the protein.",
        &[codes("c5-braf-loinc", &["48005-3"])],
    ),
    set(
        "dna-change-component",
        "The component that names the change of the DNA, in the transcript or in the genome.",
        &[codes("c5-braf-loinc", &["48004-6", "81290-9"])],
    ),
    set(
        "variant-component",
        "The component that names a variant by its number in a catalogue.",
        &[codes("c5-braf-loinc", &["81252-9"])],
    ),
    set(
        "genomic-source-component",
        "The component that says somatic or germline.",
        &[codes("c5-braf-loinc", &["48002-0"])],
    ),
    set(
        "germline",
        "Germline, which says nothing about the tumour.",
        &[codes("c5-result-value", &["LA6683-2"])],
    ),
    set(
        "braf-v600-variant",
        "Variants that change codon 600 of BRAF.",
        &[all("c5-braf-variant", "member-positive")],
    ),
    set(
        "braf-not-v600-variant",
        "Variants of BRAF at another codon.",
        &[all("c5-braf-variant", "not V600*")],
    ),
    set(
        "braf-v600-condition",
        "The diagnosis that itself says V600E.",
        &[codes("c5-braf-condition", &["830150003"])],
    ),
    set("result-positive", "Results that say yes.", &[all("c5-result-value", "member-positive")])
        .and(&[(INTERPRETATION, "POS")]),
    set("result-negative", "Results that say no.", &[all("c5-result-value", "member-negative")])
        .and(&[(INTERPRETATION, "NEG")]),
    set(
        "result-unknown",
        "Results that say neither.",
        &[Rows { set: "c5-result-value", relation: "unknown", only: Only::Not(&["373121007"]) }],
    ),
    set(
        "test-not-done",
        "The result that says that nothing was tested.",
        &[codes("c5-result-value", &["373121007"])],
    ),
    set(
        "braf-test-performed",
        "Procedures that say that a test was made, and nothing of its result.",
        &[all("c5-braf-test-performed", "test performed*")],
    ),
    // Criterion 6
    set(
        "inpatient-setting",
        "Inpatient care in a hospital.",
        &[codes("c6-place-of-service", &["21"]), codes("c6-encounter-class", &["IMP"])],
    ),
    set("office-setting", "A practitioner's office.", &[codes("c6-place-of-service", &["11"])]),
    set(
        "other-setting",
        "Other settings than inpatient care.",
        &[codes("c6-place-of-service", &["19", "22", "24"])],
    ),
    // The product and limitation 1
    set(
        "lifileucel-container",
        "Codes that count containers of lifileucel, up to four of which make one dose.",
        &[all("product-ndc", "member*")],
    ),
    set(
        "lifileucel",
        "Lifileucel, as a product and as the procedure that gives it.",
        &[
            all("product-rxnorm", "member"),
            all("product-ndc", "member*"),
            all("product-icd10pcs", "member*"),
        ],
    ),
    set(
        "unclassified-drug",
        "Codes for drugs without a code of their own; they need an NDC or a name.",
        &[all("product-hcpcs-unclassified", "insufficient alone*")],
    ),
    set(
        "other-cell-therapy",
        "Cell therapies that are not lifileucel.",
        &[all("product-cpt", "excluded*"), all("product-lookalike-rxnorm", "excluded*")],
    ),
    set(
        "lifileucel-procedure",
        "Procedures that give lifileucel.",
        &[codes("lim-prior-lifileucel", &["XW033L7", "XW043L7"])],
    ),
    set(
        "cellular-therapy-history",
        "Signs of an earlier cellular therapy that do not say of which.",
        &[all("lim-prior-lifileucel", "review*")],
    )
    // clinical.md 7.1: cytokine release (D89.83-) and ICANS (G92.0-) of every grade.
    .with(&["D89.83", "G92.0", "T80.82"]),
    // Limitation 3
    set(
        "pregnancy-status-code",
        "What an Observation of pregnancy status is coded with.",
        &[codes("lim-pregnancy-observation", &["82810-3"])],
    ),
    set(
        "pregnant",
        "Values that say pregnant.",
        &[all("lim-pregnancy-observation", "member-pregnant")],
    ),
    set(
        "not-pregnant",
        "Values that say not pregnant.",
        &[all("lim-pregnancy-observation", "member-not-pregnant")],
    ),
    set(
        "pregnancy-doubtful",
        "Values about pregnancy that leave it open.",
        &[all("lim-pregnancy-observation", "unknown"), all("lim-pregnancy-observation", "review")],
    ),
    set(
        "pregnancy-test",
        "Tests for the presence of the pregnancy hormone.",
        &[all("lim-pregnancy-test", "member*")],
    ),
    set(
        "pregnancy-quantity",
        "Amounts of the pregnancy hormone, which is a tumour marker too.",
        &[all("lim-pregnancy-test", "review*")],
    ),
    set(
        "pregnancy-condition",
        "Diagnoses and encounters that say that a pregnancy is going on.",
        &[
            all("lim-pregnancy-icd10cm", "member"),
            under("lim-pregnancy-icd10cm", "descendant-of", &["Z3A", "O0", "O1", "O2", "O3", "O4"]),
        ],
    )
    .with(&["Z34"]),
    set(
        "pregnancy-ended",
        "Diagnoses and encounters of a pregnancy that ends or has ended.",
        &[
            all("lim-pregnancy-icd10cm", "ended/ending*"),
            all("lim-pregnancy-icd10cm", "abortive outcome*"),
            under("lim-pregnancy-icd10cm", "descendant-of", &["O6", "O7"]),
            all("lim-pregnancy-icd10cm", "delivery/puerperium*"),
        ],
    ),
    set(
        "pregnancy-or-puerperium",
        "Diagnoses of pregnancy or of the time after it; the category does not say which.",
        &[all("lim-pregnancy-icd10cm", "descendant-of; pregnancy OR puerperium*")],
    ),
];
