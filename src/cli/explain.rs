//! `priorauth explain`: why a request is decided as it is, for people who know no FHIR.

use std::path::Path;

use serde::Serialize;

use super::evaluate::Format;
use super::requests::{Found, Request, files_of};
use crate::facts::Gap;
use crate::policy::Rulebook;
use crate::render::explain::{self, ItemExplanation};
use crate::terms::Day;

/// The explanation of one file. The names are a contract.
#[derive(Serialize)]
struct FileExplanation<'e> {
    file: &'e str,
    kind: &'static str,
    items: &'e [ItemExplanation<'e>],
    left_out: Vec<LeftOut<'e>>,
}

/// A resource that no clause could see.
#[derive(Serialize)]
struct LeftOut<'e> {
    resource: &'e str,
    why: &'e str,
}

/// The explanation of the request in a file.
///
/// # Errors
/// The file cannot be read, or is no request.
pub fn run(rules: &Rulebook, file: &Path, as_of: Day, format: Format) -> anyhow::Result<String> {
    let name = file.display().to_string();
    let explained = || -> Result<String, String> {
        if file.is_dir() {
            return Err("it is a folder; one file is explained at a time".to_owned());
        }
        let found = files_of(&[file.to_owned()]);
        let bytes = found.first().map(Found::read).transpose()?.unwrap_or_default();
        let request = Request::read(&bytes, &rules.plan, as_of)?;
        let verdicts = request.verdicts(rules, as_of);
        let judged = request.dossier.cases().zip(&verdicts);
        let items: Vec<ItemExplanation<'_>> =
            judged.map(|(case, (_, verdict))| explain::item(case, verdict)).collect();
        let gaps = &request.dossier.gaps;
        match format {
            Format::Text => Ok(format!("{name}\n\n{}", explain::text(&items, gaps))),
            Format::Json => {
                let left_out =
                    gaps.iter().map(|Gap { resource, why }| LeftOut { resource, why }).collect();
                let kind = request.kind.as_str();
                let whole = FileExplanation { file: &name, kind, items: &items, left_out };
                serde_json::to_string(&whole).map_err(|error| error.to_string())
            }
        }
    };
    explained().map_err(|why| anyhow::anyhow!("`{name}` cannot be explained: {why}"))
}
