//! The names of the sources of codes, for the descriptions.

/// How a source is named in a description: what the code table says, and what we write.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("ICD-10-CM", "ICD-10-CM tabular list of April 2026"),
    ("ICD-10-PCS", "ICD-10-PCS tables"),
    ("mCODE", "HL7 mCODE STU4 value sets and expansions"),
    ("mcode-extraction-framework", "HL7 mCODE STU4 value sets and expansions"),
    ("VSAC", "VSAC value sets in the public eCQM content"),
    ("ecqm-content", "VSAC value sets in the public eCQM content"),
    ("OHDSI", "OHDSI phenotype library"),
    ("openFDA", "openFDA NDC directory of autumn 2026"),
    ("trial-matching", "public oncology trial-matching tables"),
    ("trialjectory", "public oncology trial-matching tables"),
    ("trialscope", "public oncology trial-matching tables"),
    ("actnow", "New Zealand value sets of TNM categories"),
    ("NUCC", "NUCC provider taxonomy"),
    ("taxonomy crosswalk", "CMS specialty to taxonomy crosswalk"),
    ("genomics-reporting", "HL7 genomics reporting guide"),
    ("ATC", "WHO ATC index of April 2026"),
    ("PanCareSurPass", "WHO ATC index of April 2026"),
    ("opioid-cds", "CDC oncology value set"),
    ("MII", "German MII oncology examples"),
    ("CMS EOM", "CMS Enhancing Oncology Model guide"),
    ("ANS value set", "French morphology value set"),
    ("HL7/UTG", "HL7 terminology repository"),
    ("CIViC", "CIViC and MetaKB variant records"),
    ("metakb", "CIViC and MetaKB variant records"),
    ("cancer.gov", "NCI and SEER staging pages"),
    ("NCI", "NCI and SEER staging pages"),
    ("SEER", "NCI and SEER staging pages"),
    ("US-Core", "US Core"),
    ("encounterType", "CRD guide"),
    ("price file", "public hospital price files"),
];

/// The name of every other source.
pub(crate) const OTHER_SOURCE: &str = "other public code listings";
