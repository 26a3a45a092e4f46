//! Reads policies from their folders: the only place that knows their file formats.
//!
//! ```text
//! <policy>/<first day>/policy.toml              an edition with its own text
//!                      valuesets/<id>.json      FHIR ValueSets
//!                      treatment-centers.csv    the registry of places
//!                      cards/<name>.json        what its cards propose
//! <policy>/<first day>/policy.toml              or a renewal: `renews = "<first day>"`
//!                                               or `text = "not-on-file"`
//! ```
//!
//! Pure: it is given the files' texts. A mistake is reported with file, line and clause.

mod cards;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use self::cards::{RawCard, read_cards};
use super::asks::Asks;
use super::attested::{Attested, Proof};
use super::codes::Codes;
use super::criterion::{Authority, Clause, ClauseKind, Condition, Edition, ProductMap, Text};
use super::disease::Disease;
use super::document::Document;
use super::registry::{Registry, RegistryEntry};
use super::shelf::{Policy, Shelf};
use crate::terms::{Coding, Day, Npi, System, ValueSet};

/// Files by their path below the policies' folder, with `/` between the steps.
pub type Files = BTreeMap<String, String>;

/// A mistake in a policy's folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {clause}{what}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct PolicyError {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// `clause 4: `, where it is in a clause.
    pub clause: String,
    /// What is wrong.
    pub what: String,
}

/// `policy.toml` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdition {
    id: Spanned<String>,
    title: String,
    authority: Authority,
    lines: Vec<String>,
    effective: Spanned<String>,
    /// Which edition's text holds on.
    renews: Option<Spanned<String>>,
    /// `not-on-file`: only a person can judge.
    text: Option<Spanned<String>>,
    /// Where the policy's words come from.
    #[serde(default)]
    source: BTreeMap<String, String>,
    /// The questionnaire whose answers the clauses may use.
    questionnaire: Option<String>,
    product: Option<ProductMap>,
    disease: Option<Disease>,
    #[serde(default)]
    clause: Vec<RawClause>,
    #[serde(default)]
    card: Vec<RawCard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClause {
    id: Spanned<String>,
    kind: ClauseKind,
    title: String,
    words: String,
    section: String,
    #[serde(default)]
    asks: Asks,
    #[serde(default)]
    attested: Vec<Attested>,
    #[serde(default)]
    documents: Vec<Document>,
    condition: Condition,
}

/// Reads every policy below a folder and checks what can be checked at load.
///
/// # Errors
/// All mistakes that were found.
pub fn read(files: &Files) -> Result<Shelf, Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut policies = Vec::new();
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in files.keys() {
        if let Some(rest) = path.strip_suffix("/policy.toml")
            && let Some((policy, edition)) = rest.split_once('/')
        {
            folders.entry(policy).or_default().push(edition);
        }
    }
    for (policy, editions) in folders {
        match read_policy(files, policy, &editions) {
            Ok(policy) => policies.push(policy),
            Err(more) => errors.extend(more),
        }
    }
    if policies.is_empty() && errors.is_empty() {
        errors.push(error(
            "policies",
            None,
            "there is no policy: no `<policy>/<date>/policy.toml`",
        ));
    }
    if errors.is_empty() { Ok(Shelf::new(policies)) } else { Err(errors) }
}

fn error(file: &str, line: Option<usize>, what: impl Into<String>) -> PolicyError {
    PolicyError { file: file.to_owned(), line, clause: String::new(), what: what.into() }
}

/// Reads TOML; a mistake is reported with its line, and with the clause that it stands in.
pub(super) fn parse_toml<T: serde::de::DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<T, PolicyError> {
    toml::from_str(text).map_err(|problem| {
        let line = problem.span().map(|span| line_of(text, span.start));
        let clause = line.map(|line| clause_above(text, line)).unwrap_or_default();
        PolicyError { clause, ..error(file, line, problem.message()) }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// An edition that was read, before renewals are resolved.
struct Read {
    effective: Day,
    renews: Option<(Day, usize)>,
    file: String,
    edition: Edition,
}

fn read_policy(files: &Files, policy: &str, folders: &[&str]) -> Result<Policy, Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut read = Vec::new();
    for folder in folders {
        let folder = format!("{policy}/{folder}");
        match read_edition(files, policy, &folder) {
            Ok(edition) => read.push(edition),
            Err(more) => errors.extend(more),
        }
    }
    read.sort_by_key(|edition| edition.effective);
    let mut whole: BTreeMap<Day, Arc<Edition>> = BTreeMap::new();
    let mut renewals = Vec::new();
    for edition in read {
        match edition.renews {
            None => {
                whole.insert(edition.effective, Arc::new(edition.edition));
            }
            Some((renewed, line)) => {
                renewals.push((edition.effective, renewed, line, edition.file));
            }
        }
    }
    let mut editions: Vec<(Day, Arc<Edition>)> =
        whole.iter().map(|(day, edition)| (*day, Arc::clone(edition))).collect();
    for (effective, renewed, line, file) in renewals {
        match whole.get(&renewed) {
            Some(edition) => editions.push((effective, Arc::clone(edition))),
            None => errors.push(error(
                &file,
                Some(line),
                format!("`renews` names the edition {renewed}, which has no text of its own"),
            )),
        }
    }
    editions.sort_by_key(|(day, _)| *day);
    if errors.is_empty() && !editions.iter().any(|(_, edition)| edition.text.is_some()) {
        errors.push(error(policy, None, "no edition of the policy has a text of its own"));
    }
    if errors.is_empty() { Ok(Policy { id: policy.into(), editions }) } else { Err(errors) }
}

fn read_edition(files: &Files, policy: &str, folder: &str) -> Result<Read, Vec<PolicyError>> {
    let file = format!("{folder}/policy.toml");
    let text = files.get(&file).map(String::as_str).unwrap_or_default();
    let raw: RawEdition = parse_toml(&file, text).map_err(|problem| vec![problem])?;
    let at = |span: std::ops::Range<usize>| Some(line_of(text, span.start));
    let mut errors = Vec::new();
    if raw.id.get_ref() != policy {
        errors.push(error(&file, at(raw.id.span()), "`id` is not the name of the policy's folder"));
    }
    if raw.lines.is_empty() {
        errors.push(error(&file, None, "`lines` names no product line"));
    }
    let effective: Option<Day> = raw.effective.get_ref().parse().ok();
    if effective.is_none() || !folder.ends_with(raw.effective.get_ref()) {
        errors.push(error(
            &file,
            at(raw.effective.span()),
            "`effective` is not the day that names the edition's folder",
        ));
    }
    let renews = raw.renews.as_ref().and_then(|day| {
        let line = line_of(text, day.span().start);
        if let Ok(day) = day.get_ref().parse::<Day>() {
            Some((day, line))
        } else {
            errors.push(error(&file, Some(line), "`renews` is no day of the form YYYY-MM-DD"));
            None
        }
    });
    let off_file = match &raw.text {
        None => false,
        Some(word) if word.get_ref() == "not-on-file" => true,
        Some(word) => {
            errors.push(error(&file, at(word.span()), "`text` can only be \"not-on-file\""));
            false
        }
    };
    let sets = SetReader { files, folder };
    let has_text = renews.is_none() && !off_file;
    let mut product = raw.product;
    if has_text {
        match &mut product {
            Some(map) => {
                for codes in [&mut map.codes, &mut map.unclassified, &mut map.others] {
                    sets.fill(codes, &file, None, "", &mut errors);
                }
            }
            None => errors.push(error(&file, None, "`[product]` is missing")),
        }
    }
    let content = if has_text {
        let (disease, questionnaire) = (raw.disease, raw.questionnaire);
        let mut content =
            read_text(&sets, &file, text, disease, questionnaire, raw.clause, &mut errors);
        content.cards = read_cards(&sets, &file, text, raw.card, &content.clauses, &mut errors);
        Some(content)
    } else {
        if !raw.clause.is_empty() || !raw.card.is_empty() {
            let line = raw.clause.first().and_then(|clause| at(clause.id.span()));
            let what = "an edition without a text of its own has no clauses and no cards";
            errors.push(error(&file, line, what));
        }
        None
    };
    match (errors.is_empty(), effective) {
        (true, Some(effective)) => Ok(Read {
            effective,
            renews,
            file,
            edition: Edition {
                policy: policy.into(),
                title: raw.title.into(),
                source: raw
                    .source
                    .into_iter()
                    .map(|(name, text)| (name.into(), text.into()))
                    .collect(),
                authority: raw.authority,
                lines: raw.lines.into_iter().map(Into::into).collect(),
                effective,
                product: product.unwrap_or_else(ProductMap::nothing),
                text: content,
            },
        }),
        (_, _) => Err(errors),
    }
}

/// `clause 4: ` where the line stands below a `[[clause]]` with that id.
fn clause_above(text: &str, line: usize) -> String {
    let above: Vec<&str> = text.lines().take(line).collect();
    let in_clause = above.iter().rposition(|line| line.trim() == "[[clause]]");
    let id = in_clause.and_then(|start| {
        text.lines().skip(start + 1).find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "id").then(|| value.trim().trim_matches('"').to_owned())
        })
    });
    id.map(|id| format!("clause {id}: ")).unwrap_or_default()
}

fn read_text(
    sets: &SetReader<'_>,
    file: &str,
    text: &str,
    mut disease: Option<Disease>,
    questionnaire: Option<String>,
    raw: Vec<RawClause>,
    errors: &mut Vec<PolicyError>,
) -> Text {
    for codes in disease.iter_mut().flat_map(Disease::codes_mut) {
        sets.fill(codes, file, None, "", errors);
    }
    if raw.is_empty() {
        errors.push(error(file, None, "the edition has no clause"));
    }
    let mut clauses = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for clause in raw {
        let line = line_of(text, clause.id.span().start);
        let id = clause.id.into_inner();
        let named = format!("clause {id}: ");
        let mut report = |what: String| {
            errors.push(PolicyError { clause: named.clone(), ..error(file, Some(line), what) });
        };
        if let Some(first) = lines.insert(id.clone(), line) {
            report(format!("the id stands in line {first} already"));
        }
        let mut condition = clause.condition;
        condition.settle(&clause.asks).into_iter().for_each(&mut report);
        if disease.is_none() && condition.reads_disease() {
            report("this kind of condition reads `[disease]`, which is missing".to_owned());
        }
        for attested in &clause.attested {
            let question = &attested.link_id;
            if !attested.proves.suits(&condition) {
                report(format!(
                    "`{question}` proves something that this kind of condition never asks"
                ));
            }
            if questionnaire.is_none() {
                report(format!(
                    "`{question}` is an answer, and the edition names no `questionnaire`"
                ));
            }
        }
        let is_attested = matches!(condition, Condition::AttestedByQuestionnaire(_));
        if is_attested && !clause.attested.iter().any(|it| it.proves == Proof::Met) {
            report("no answer under `attested` proves that it holds".to_owned());
        }
        let asks_for_it = clause.documents.iter().any(Document::is_questionnaire);
        if asks_for_it && questionnaire.is_none() {
            report("it asks for the questionnaire, and the edition names none".to_owned());
        }
        for codes in condition.codes_mut() {
            sets.fill(codes, file, Some(line), &named, errors);
        }
        clauses.push(Clause {
            id: id.into(),
            kind: clause.kind,
            title: clause.title.into(),
            words: clause.words.into(),
            section: clause.section.into(),
            asks: clause.asks,
            attested: clause.attested,
            documents: clause.documents,
            condition,
        });
    }
    let registry = read_registry(sets, errors);
    let questionnaire = questionnaire.map(Into::into);
    Text { clauses, cards: Vec::new(), disease, registry, questionnaire }
}

/// Reads the value sets of an edition as they are named.
struct SetReader<'f> {
    files: &'f Files,
    folder: &'f str,
}

impl SetReader<'_> {
    fn fill(
        &self,
        codes: &mut Codes,
        file: &str,
        line: Option<usize>,
        clause: &str,
        errors: &mut Vec<PolicyError>,
    ) {
        for name in &codes.names {
            match self.value_set(name) {
                Ok(set) => codes.set.merge(set),
                Err(what) => errors
                    .push(PolicyError { clause: clause.to_owned(), ..error(file, line, what) }),
            }
        }
    }

    fn value_set(&self, name: &str) -> Result<ValueSet, String> {
        let path = format!("{}/valuesets/{name}.json", self.folder);
        let text =
            self.files.get(&path).ok_or_else(|| format!("there is no value set `{name}`"))?;
        let raw: RawValueSet = serde_json::from_str(text)
            .map_err(|problem| format!("value set `{name}`: {problem}"))?;
        let mut set = ValueSet::default();
        for include in raw.compose.include {
            let system = System::from_uri(&include.system);
            for concept in include.concept {
                set.add(Coding::new(system.clone(), &concept.code));
            }
            for filter in include.filter {
                if filter.property != "concept" || filter.op != "is-a" || system != System::Icd10Cm
                {
                    return Err(format!(
                        "value set `{name}`: only `concept` `is-a` filters of ICD-10-CM are read"
                    ));
                }
                set.add_category(system.clone(), &filter.value);
            }
        }
        if set.is_empty() { Err(format!("value set `{name}` has no codes")) } else { Ok(set) }
    }
}

#[derive(Deserialize)]
struct RawValueSet {
    compose: RawCompose,
}

#[derive(Deserialize)]
struct RawCompose {
    include: Vec<RawInclude>,
}

#[derive(Deserialize)]
struct RawInclude {
    system: String,
    #[serde(default)]
    concept: Vec<RawConcept>,
    #[serde(default)]
    filter: Vec<RawFilter>,
}

#[derive(Deserialize)]
struct RawConcept {
    code: String,
}

#[derive(Deserialize)]
struct RawFilter {
    property: String,
    op: String,
    value: String,
}

#[derive(Deserialize)]
struct RawCenter {
    npi: String,
    name: String,
    valid_from: String,
    #[serde(default)]
    valid_to: String,
}

fn read_registry(sets: &SetReader<'_>, errors: &mut Vec<PolicyError>) -> Registry {
    let file = format!("{}/treatment-centers.csv", sets.folder);
    let Some(text) = sets.files.get(&file) else { return Registry::default() };
    let mut entries = Vec::new();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for (row, center) in reader.deserialize::<RawCenter>().enumerate() {
        match center.map_err(|problem| problem.to_string()).and_then(|center| registered(&center)) {
            Ok(entry) => entries.push(entry),
            Err(what) => errors.push(error(&file, Some(row + 2), what)),
        }
    }
    Registry(entries)
}

fn registered(center: &RawCenter) -> Result<RegistryEntry, String> {
    let day = |text: &str| {
        text.parse::<Day>().map_err(|_| format!("`{text}` is no day of the form YYYY-MM-DD"))
    };
    let end = center.valid_to.trim();
    Ok(RegistryEntry {
        npi: Npi::parse(&center.npi).map_err(|problem| format!("`{}`: {problem}", center.npi))?,
        name: center.name.as_str().into(),
        valid_from: day(center.valid_from.trim())?,
        valid_to: if end.is_empty() { None } else { Some(day(end)?) },
    })
}

impl ProductMap {
    /// Of an edition without a text of its own: the newest text's map stands for all.
    fn nothing() -> ProductMap {
        let none = || Codes::default();
        ProductMap { codes: none(), unclassified: none(), others: none(), names: Vec::new() }
    }
}
