//! Floor 7: the operator's settings, read once at start.
//!
//! One optional TOML file; every setting has a default, so that no file is needed.
//! A key that we do not know, or a value out of its limits, is refused with file and line.
//! Relative paths count from the file's own folder.
//!
//! There are no secrets in it: clients are known by their public keys.
//! It refuses to know where the server listens and where its data is: the command line says so.
//!
//! ```toml
//! public_base = "https://pa.lakeside-health.test"
//! log_format = "json"
//!
//! [[clients]]
//! id = "lakeside-ehr"
//! issuer = "https://ehr.lakeside.test/cds"
//! key_set = "keys/lakeside.json"
//! audiences = ["https://pa.lakeside-health.test/crd/2.2/cds-services/"]
//! ```

mod raw;
mod scenarios;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::auth::{Caller, ClientError, Clients, Registration, Replay, SigningAlgorithm};
use crate::ehr::{EhrLimits, Registered};
use crate::outbound::Origin;
use crate::service::notify::NotifyTerms;
use crate::service::scenario::Scenarios;

/// How large the settings file may be, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
/// How large a key set may be, in bytes.
pub const MAX_KEY_SET_BYTES: u64 = 256 * 1024;
/// How large a file of sandbox scenarios may be, in bytes.
pub const MAX_SCENARIO_BYTES: u64 = 256 * 1024;
/// How many clients may be registered.
pub const MAX_CLIENTS: usize = 1000;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The URL under which the outside reaches us, without a slash at its end.
    /// [`Config::created_base`] and [`Config::called_base`] say what holds without it.
    pub public_base: Option<String>,
    /// The largest body that is read, in bytes. Default 10 MiB.
    pub max_body_bytes: usize,
    /// How many requests are worked on at the same time. Default 256.
    pub max_concurrent_requests: usize,
    /// How long the body of a request may take to arrive; the whole request may take twice that
    /// (`request_timeout_ms`). Default 15 s.
    pub request_timeout: Duration,
    /// How long requests may go on after the signal to stop (`shutdown_grace_ms`). Default 20 s.
    pub shutdown_grace: Duration,
    /// How long the same content from the same client is a repeat (`repeat_window_ms`, ruling 31).
    /// Default 24 hours; zero: never.
    pub repeat_window: Duration,
    /// How long after its last answer a decided case is found by `$inquire`
    /// (`inquiry_retention_days`). Default 7 years; what waits is always found.
    pub inquiry_retention: Duration,
    /// The only origins that notifications go to (`notify_allow`). None: any https origin with a
    /// public address, and in development loopback.
    pub notify_allow: Vec<Origin>,
    /// How long one notification may take (`notify_timeout_ms`). Default 10 s.
    pub notify_timeout: Duration,
    /// How notifications are sent, tried again and given up (`notify_first_retry_ms`,
    /// `notify_longest_retry_ms`, `notify_give_up_after_ms`, `notify_at_once`, `notify_poll_ms`).
    pub notify: NotifyTerms,
    /// The only origins whose data is asked for while no client is registered (`ehr_allow`).
    pub ehr_allow: Vec<Origin>,
    /// How much is asked of an EHR in one hook call (`ehr_budget_ms`, `ehr_parallel`,
    /// `ehr_queries`, `ehr_pages`, `ehr_answer_bytes`, `ehr_total_bytes`, `ehr_calls`).
    pub ehr: EhrLimits,
    /// The folder with plans and policies; absent, those in the binary.
    pub profiles: Option<PathBuf>,
    /// Whether this is a sandbox for testers. Default: no.
    pub sandbox: bool,
    /// The file with the sandbox's scripted answers; only in a sandbox.
    pub scenarios: Option<PathBuf>,
    /// Whether real requests are decided: then there is no sandbox. Default: no.
    pub production: bool,
    /// How log lines are written. Default: text.
    pub log_format: LogFormat,
    /// Who may call. Empty: anyone over loopback, and no one else.
    pub clients: Vec<ClientSettings>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// One of `[[clients]]`: a [`Registration`] whose key set has not been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Our name for it.
    pub id: String,
    /// What it writes in `iss`; absent, it is the id.
    pub issuer: Option<String>,
    /// The `jku` that its tokens may name; absent, a token's `jku` is passed over.
    pub jku: Option<String>,
    /// The file with its JSON Web Key Set.
    pub key_set: PathBuf,
    /// What it may sign with. Default: ES384 and RS384.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Values of `aud` that are accepted beside the called URL.
    pub audiences: Vec<String>,
    /// What becomes of a token that it uses twice. Default: a note in the log.
    pub replay: Replay,
    /// Whether it may see the review queue and decide.
    pub reviews: bool,
    /// The origins of its FHIR servers: the only ones that are asked for data, and that its access
    /// tokens are sent to. Default: none.
    pub fhir_servers: Vec<Origin>,
    /// Whether they take many queries in one Bundle of type `batch`. Default: no.
    pub fhir_batch: bool,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("reading the settings in `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The settings file has a mistake.
    #[error("{file}{}: {what}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Mistake {
        /// The file.
        file: String,
        /// The line in it, from 1.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// A client's key set cannot be read.
    #[error("client `{client_id}`: reading the key set in `{}`: {source}", path.display())]
    KeySet {
        /// The client.
        client_id: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A client cannot be registered.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            public_base: None,
            max_body_bytes: 10 * 1024 * 1024,
            max_concurrent_requests: 256,
            request_timeout: Duration::from_secs(15),
            shutdown_grace: Duration::from_secs(20),
            repeat_window: Duration::from_hours(24),
            inquiry_retention: Duration::from_hours(24 * 2557),
            notify_allow: Vec::new(),
            notify_timeout: Duration::from_secs(10),
            notify: NotifyTerms::default(),
            ehr_allow: Vec::new(),
            ehr: EhrLimits::default(),
            profiles: None,
            sandbox: false,
            scenarios: None,
            production: false,
            log_format: LogFormat::default(),
            clients: Vec::new(),
        }
    }
}

impl Config {
    /// The base of what we create while none is configured (ruling 33).
    pub const DEFAULT_PUBLIC_BASE: &'static str = "https://payer.priorauth.test";

    /// Reads the settings file; without one, everything has its default.
    ///
    /// # Errors
    /// The file cannot be read, or has a mistake.
    pub fn read(path: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(path) = path else {
            return Ok(Config::default());
        };
        let text = read_text(path, MAX_CONFIG_BYTES)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&path.display().to_string(), folder, &text)
    }

    /// Reads settings from a text. `file` is its name in errors; relative paths count from
    /// `folder`.
    ///
    /// # Errors
    /// A mistake in it.
    pub fn parse(file: &str, folder: &Path, text: &str) -> Result<Config, ConfigError> {
        raw::read(folder, text).map_err(|mistake| mistake.in_file(file.to_owned(), text))
    }

    /// Reads the clients' key sets and registers the clients.
    ///
    /// # Errors
    /// A key set that cannot be read, or a client that cannot be registered.
    pub fn register_clients(&self) -> Result<Clients, ConfigError> {
        let registrations: Result<Vec<_>, _> =
            self.clients.iter().map(ClientSettings::registration).collect();
        Ok(Clients::register(registrations?)?)
    }

    /// Which FHIR servers may be asked, by the client whose calls name them.
    ///
    /// Without clients, in development, everybody who calls may name those of `ehr_allow`.
    #[must_use]
    pub fn fhir_servers(&self) -> Vec<Registered> {
        if self.clients.is_empty() {
            return vec![Registered {
                client: Caller::LOCAL_ID.to_owned(),
                origins: self.ehr_allow.clone(),
                takes_batches: false,
            }];
        }
        let registered = self.clients.iter().map(|it| Registered {
            client: it.id.clone(),
            origins: it.fhir_servers.clone(),
            takes_batches: it.fhir_batch,
        });
        registered.collect()
    }

    /// Reads the sandbox's scripted answers; none without a file of them.
    ///
    /// # Errors
    /// The file cannot be read, or has a mistake.
    pub fn read_scenarios(&self) -> Result<Scenarios, ConfigError> {
        let Some(path) = &self.scenarios else { return Ok(Scenarios::default()) };
        let text = read_text(path, MAX_SCENARIO_BYTES)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        scenarios::read(&text).map_err(|mistake| mistake.in_file(path.display().to_string(), &text))
    }

    /// The base of the URLs in what we create: never the listen address (ruling 33).
    #[must_use]
    pub fn created_base(&self) -> &str {
        self.public_base.as_deref().unwrap_or(Config::DEFAULT_PUBLIC_BASE)
    }

    /// The base of the URLs that clients call, with which a token's `aud` is compared.
    ///
    /// While none is configured: the listen address, if that is on loopback.
    #[must_use]
    pub fn called_base(&self, listen: SocketAddr) -> String {
        match &self.public_base {
            Some(base) => base.clone(),
            None if listen.ip().is_loopback() => format!("http://{listen}"),
            None => Config::DEFAULT_PUBLIC_BASE.to_owned(),
        }
    }
}

impl ClientSettings {
    fn registration(&self) -> Result<Registration, ConfigError> {
        let key_set = read_text(&self.key_set, MAX_KEY_SET_BYTES).map_err(|source| {
            let path = self.key_set.clone();
            ConfigError::KeySet { client_id: self.id.clone(), path, source }
        })?;
        Ok(Registration {
            id: self.id.clone(),
            issuer: self.issuer.clone(),
            jku: self.jku.clone(),
            key_set,
            algorithms: self.algorithms.clone(),
            audiences: self.audiences.clone(),
            replay: self.replay,
            may_review: self.reviews,
        })
    }
}

/// Reads a file of at most `max_bytes`.
fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(max_bytes + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= max_bytes) {
        return Ok(text);
    }
    let what = format!("it is larger than {max_bytes} bytes");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
}
