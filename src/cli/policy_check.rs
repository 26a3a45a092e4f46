//! `priorauth policy check`: read a policy folder and say what is wrong with it.

use std::path::Path;

use crate::policy::read;
use crate::profiles::{PolicyFolder, ProfilesError};

/// Reads the policies in `folder` and says in words what is there.
///
/// The folder may be that of all policies, of one policy, of one edition, or of all profiles.
/// Of an edition the whole policy is read: an edition may renew another.
///
/// # Errors
/// A file that cannot be read, or every mistake with file, line and clause.
pub fn run(folder: &Path) -> Result<String, ProfilesError> {
    let shelf = read::read(&PolicyFolder::read(folder)?.files).map_err(ProfilesError::Mistakes)?;
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
