//! Floor 7: the plan and the policies that a server runs with, embedded or from a folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::policy::read::{self, Files};
use crate::policy::{Plan, PolicyError, Rulebook};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// How large a single profile file may be.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// How deep folders may nest.
const MAX_DEPTH: usize = 6;

/// Why profiles cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// A file or folder cannot be read.
    #[error("reading `{}`: {source}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A plan or policy has mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Mistakes(Vec<PolicyError>),
    /// There is no plan file, or more than one.
    #[error("`plans` holds {0} plan files, and one is needed")]
    Plans(usize),
}

/// The rulebook that ships in the binary.
///
/// # Errors
/// A mistake in it, which the tests rule out.
pub fn embedded() -> Result<Rulebook, ProfilesError> {
    let mut files = Files::new();
    collect_embedded(&EMBEDDED, &mut files);
    rulebook(&files)
}

/// The rulebook in a folder with `plans` and `policies`.
///
/// # Errors
/// A file that cannot be read, or mistakes in plan or policies, each with file, line and clause.
pub fn from_folder(folder: &Path) -> Result<Rulebook, ProfilesError> {
    rulebook(&files_below(folder)?)
}

/// A folder of policies, with the paths that [`read::read`] expects: `<policy>/<first day>/…`.
#[derive(Debug)]
pub struct PolicyFolder {
    /// The files of the policies; of an edition's folder, those of its whole policy.
    pub files: Files,
    /// The part of them that was asked for: what the paths begin with.
    pub within: String,
    /// The files of plans beside the policies.
    plans: Files,
}

impl PolicyFolder {
    /// The folder of all policies, of one policy, of one edition, or of all profiles.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn read(folder: &Path) -> Result<PolicyFolder, ProfilesError> {
        let files = files_below(folder)?;
        let policies = below(&files, "policies/");
        if !policies.is_empty() {
            let plans = below(&files, "plans/");
            return Ok(PolicyFolder { files: policies, within: String::new(), plans });
        }
        let failed = |source| ProfilesError::Read { path: folder.to_owned(), source };
        let folder = std::fs::canonicalize(folder).map_err(failed)?;
        let name = |path: &Path| path.file_name().map(|it| it.to_string_lossy().into_owned());
        let of_policy = |policy: &str, files: Files| -> Files {
            files.into_iter().map(|(path, text)| (format!("{policy}/{path}"), text)).collect()
        };
        let plans = Files::new();
        // `policy.toml` in the folder: an edition, which may renew another of its policy.
        if files.contains_key("policy.toml")
            && let (Some(parent), Some(edition)) = (folder.parent(), name(&folder))
            && let Some(policy) = name(parent)
        {
            let files = of_policy(&policy, files_below(parent)?);
            return Ok(PolicyFolder { files, within: format!("{policy}/{edition}/"), plans });
        }
        // `<first day>/policy.toml` below the folder: it is the folder of one policy.
        let is_one_policy = files
            .keys()
            .any(|path| path.strip_suffix("/policy.toml").is_some_and(|rest| !rest.contains('/')));
        let files = match name(&folder) {
            Some(policy) if is_one_policy => of_policy(&policy, files),
            Some(_) | None => files,
        };
        Ok(PolicyFolder { files, within: String::new(), plans })
    }

    /// The rulebook of the folder: its policies, and its own plan, else that of `profiles`, else
    /// the embedded one.
    ///
    /// # Errors
    /// A file that cannot be read, or mistakes in plan or policies.
    pub fn rulebook(&self, profiles: Option<&Path>) -> Result<Rulebook, ProfilesError> {
        let plan = if !self.plans.is_empty() {
            plan_of(&self.plans)?
        } else if let Some(folder) = profiles {
            from_folder(folder)?.plan
        } else {
            embedded()?.plan
        };
        let read = read::read(&self.files).map_err(ProfilesError::Mistakes)?;
        Ok(Rulebook { plan, shelf: read, digest: digest(&self.files) })
    }
}

fn rulebook(files: &Files) -> Result<Rulebook, ProfilesError> {
    let plan = plan_of(&below(files, "plans/"))?;
    let shelf = read::read(&below(files, "policies/")).map_err(ProfilesError::Mistakes)?;
    Ok(Rulebook { plan, shelf, digest: digest(files) })
}

/// The digest of the files that plan and policies are read from: names and texts, but not the cases
/// beside them, which decide nothing.
fn digest(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (path, text) in files.iter().filter(|(path, _)| !path.ends_with("/cases.toml")) {
        for part in [path, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    let mut hexadecimal = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    hexadecimal
}

fn below(files: &Files, name: &str) -> Files {
    let inside = |(path, text): (&String, &String)| {
        path.strip_prefix(name).map(|rest| (rest.to_owned(), text.clone()))
    };
    files.iter().filter_map(inside).collect()
}

fn plan_of(plans: &Files) -> Result<Plan, ProfilesError> {
    let mut plan_files =
        plans.iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|it| it == "toml"));
    let (Some((path, text)), None) = (plan_files.next(), plan_files.next()) else {
        return Err(ProfilesError::Plans(plans.len()));
    };
    Plan::read(&format!("plans/{path}"), text)
        .map_err(|mistake| ProfilesError::Mistakes(vec![mistake]))
}

fn collect_embedded(folder: &Dir<'_>, files: &mut Files) {
    for file in folder.files() {
        if let Some(text) = file.contents_utf8() {
            files.insert(file.path().to_string_lossy().replace('\\', "/"), text.to_owned());
        }
    }
    for inner in folder.dirs() {
        collect_embedded(inner, files);
    }
}

/// All text files below a folder, by their path in it.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn files_below(folder: &Path) -> Result<Files, ProfilesError> {
    let mut files = Files::new();
    let mut open = vec![(folder.to_owned(), 0_usize)];
    while let Some((current, depth)) = open.pop() {
        let failed = |source| ProfilesError::Read { path: current.clone(), source };
        for entry in std::fs::read_dir(&current).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let failed = |source| ProfilesError::Read { path: path.clone(), source };
            let about = std::fs::metadata(&path).map_err(failed)?;
            if about.is_dir() && depth < MAX_DEPTH {
                open.push((path, depth + 1));
            } else if about.is_file() && about.len() <= MAX_FILE_BYTES {
                let name = path.strip_prefix(folder).unwrap_or(&path);
                let name = name.to_string_lossy().replace('\\', "/");
                // A file that is no text is no part of a profile.
                if let Ok(text) = std::fs::read_to_string(&path) {
                    files.insert(name, text);
                }
            }
        }
    }
    Ok(files)
}
