//! `priorauth policy check`: read a policy folder and say what is wrong with it.

use std::path::Path;

use crate::policy::read::{self, Files};
use crate::profiles::{ProfilesError, files_below};

/// Reads the policies in `folder` and says in words what is there.
///
/// The folder may be that of all policies, of one policy, or of all profiles.
///
/// # Errors
/// A file that cannot be read, or every mistake with file, line and clause.
pub fn run(folder: &Path) -> Result<String, ProfilesError> {
    let shelf = read::read(&policies_in(folder)?).map_err(ProfilesError::Mistakes)?;
    let mut lines = Vec::new();
    for policy in shelf.policies() {
        lines.push(format!("policy {}: {} editions", policy.id, policy.editions.len()));
        for (first_day, edition) in &policy.editions {
            let content = match &edition.text {
                Some(text) if edition.effective == *first_day => {
                    format!("{} clauses", text.clauses.len())
                }
                Some(_) => format!("renews the text of {}", edition.effective),
                None => "text not on file: a person judges".to_owned(),
            };
            lines.push(format!("  {first_day}: {content}"));
            if edition.effective == *first_day {
                let source = edition.source.iter();
                lines.extend(source.map(|(name, text)| format!("    {name}: {text}")));
            }
        }
    }
    Ok(lines.join("\n"))
}

/// The files with the paths that [`read::read`] expects: `<policy>/<first day>/…`.
fn policies_in(folder: &Path) -> Result<Files, ProfilesError> {
    let files = files_below(folder)?;
    let below_policies: Files = files
        .iter()
        .filter_map(|(path, text)| Some((path.strip_prefix("policies/")?.to_owned(), text.clone())))
        .collect();
    if !below_policies.is_empty() {
        return Ok(below_policies);
    }
    let name = |path: &Path| {
        let absolute = std::fs::canonicalize(path).ok()?;
        absolute.file_name().map(|name| name.to_string_lossy().into_owned())
    };
    // `<first day>/policy.toml` below the folder: it is the folder of one policy.
    let is_one_policy = files
        .keys()
        .any(|path| path.strip_suffix("/policy.toml").is_some_and(|rest| !rest.contains('/')));
    match name(folder) {
        Some(policy) if is_one_policy => {
            Ok(files.into_iter().map(|(path, text)| (format!("{policy}/{path}"), text)).collect())
        }
        Some(_) | None => Ok(files),
    }
}
