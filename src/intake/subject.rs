//! The patient, and whether a record is about this patient.

use super::reader::{extensions, source, word};
use crate::facts::{Patient, SourceKind, Stated};
use crate::fhir::{Entry, Node, Pool};
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
            let by_identifier =
                reference.get("identifier").is_some_and(|it| self.is_named(pool, it));
            let why =
                "does not say by a reference or an identifier of the patient whom it is about";
            return if by_identifier { Ok(()) } else { Err(why) };
        };
        let meant = match (pool.resolve(&text, from), self.place) {
            (Some(found), Some(patient)) => {
                found == patient && is_of_one_server(pool, &text, from, patient)
            }
            (_, _) => self.reference.as_deref() == Some(&*text),
        };
        if meant { Ok(()) } else { Err("is about another patient, or about one who is not there") }
    }

    /// Whether an identifier is one of the patient's own, system and value.
    fn is_named(&self, pool: &Pool<'_>, identifier: Node<'_>) -> bool {
        let patient = self.place.and_then(|place| pool.entry(place));
        let (system, value) = (identifier.text_of("system"), identifier.text_of("value"));
        system.is_some()
            && value.is_some()
            && patient.is_some_and(|patient| {
                let mut own = patient.node.each("identifier");
                own.any(|it| it.text_of("system") == system && it.text_of("value") == value)
            })
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
                enrolled_births: Vec::new(),
                gender: None,
                recorded_sex: Vec::new(),
            };
        };
        let node = entry.node;
        let of = |element: &'static str| source(entry, element, SourceKind::Record);
        let recorded_sex =
            ["us-core-birthsex", "us-core-sex", "us-core-individual-sex", "birthsex"]
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
            enrolled_births: Vec::new(),
            gender: word(node, "gender"),
            recorded_sex,
        }
    }
}

/// Whether a relative reference can mean the patient: a reference of another server's record means
/// that server's patient, and a record that does not say its server means the patient only if no
/// other one has the same id (rulings 12).
fn is_of_one_server(pool: &Pool<'_>, reference: &str, from: usize, patient: usize) -> bool {
    if reference.contains(':') || reference.starts_with('#') {
        return true;
    }
    let home = pool.entry(from).map_or(from, |entry| entry.container.unwrap_or(from));
    let base = |place: usize| pool.entry(place).and_then(server);
    if let (Some(of_record), Some(of_patient)) = (base(home), base(patient)) {
        return of_record == of_patient;
    }
    let reference = reference.split("/_history/").next().unwrap_or_default();
    let id = reference.rsplit('/').next().unwrap_or_default();
    pool.count_of(&format!("Patient/{id}")) < 2
}

/// The base URL of the server that an entry comes from, if its full URL says so.
fn server<'e>(entry: &'e Entry<'_>) -> Option<&'e str> {
    let url = entry.full_url.as_deref().filter(|url| url.starts_with("http"))?;
    let of_type = url.strip_suffix(entry.id.as_deref()?)?.strip_suffix('/')?;
    of_type.strip_suffix(&*entry.kind)?.strip_suffix('/')
}
