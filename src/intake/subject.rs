//! The patient, and whether a record is about this patient.

use super::reader::{extensions, source, word};
use crate::facts::{Patient, SourceKind, Stated};
use crate::fhir::{Node, Pool};
use crate::terms::When;

/// Who the request is about: a resource of the pool, or at least a reference.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The Patient's place in the pool.
    pub place: Option<usize>,
    /// `Patient/<id>`, by which it is known where the resource is not in the pool.
    pub reference: Option<String>,
}

impl Subject {
    /// Whether `reference`, which stands in the entry at `from`, means this patient.
    ///
    /// # Errors
    /// Why it cannot be told, or that it is somebody else.
    pub fn is_meant(
        &self,
        pool: &Pool<'_>,
        reference: Option<Node<'_>>,
        from: usize,
    ) -> Result<(), &'static str> {
        let Some(reference) = reference else { return Err("does not say whom it is about") };
        let Some(text) = reference.text_of("reference") else {
            return Err("does not say by a reference whom it is about");
        };
        let meant = match (pool.resolve(&text, from), self.place) {
            (Some(found), Some(patient)) => found == patient,
            (_, _) => self.reference.as_deref() == Some(&*text),
        };
        if meant { Ok(()) } else { Err("is about another patient, or about one who is not there") }
    }

    /// The patient's facts; an empty patient where the resource is not there.
    #[must_use]
    pub fn patient(&self, pool: &Pool<'_>) -> Patient {
        let Some(entry) = self.place.and_then(|place| pool.entry(place)) else {
            let resource = self.reference.clone().unwrap_or_else(|| "Patient".to_owned());
            return Patient {
                source: crate::facts::Source {
                    resource: resource.into(),
                    element: "Patient".into(),
                    date: None,
                    kind: SourceKind::Record,
                },
                birth_date: None,
                gender: None,
                recorded_sex: Vec::new(),
            };
        };
        let node = entry.node;
        let of = |element: &'static str| source(entry, element, SourceKind::Record);
        let recorded_sex = ["us-core-birthsex", "us-core-sex", "birthsex"]
            .iter()
            .flat_map(|name| extensions(node, name))
            .filter_map(|extension| {
                let code = word(extension, "valueCode").or_else(|| {
                    extension.get("valueCoding").and_then(|coding| word(coding, "code"))
                })?;
                Some(Stated { value: code, source: of("Patient.extension") })
            })
            .collect();
        Patient {
            source: of("Patient"),
            birth_date: node
                .get("birthDate")
                .map(|date| date.text().unwrap_or_default())
                .map(|text| When::parse(&text).map_err(|error| error.to_string())),
            gender: word(node, "gender"),
            recorded_sex,
        }
    }
}
