//! The settings file as it is written, and the limits of each setting.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{ClientSettings, Config, ConfigError, LogFormat, MAX_CLIENTS};
use crate::auth::{Replay, SigningAlgorithm};
use crate::ehr::EhrLimits;
use crate::outbound::Origin;
use crate::service::notify::NotifyTerms;

/// From a kibibyte to 256 MiB.
const BODY_BYTES: RangeInclusive<u64> = 1024..=256 * 1024 * 1024;
const CONCURRENT_REQUESTS: RangeInclusive<u64> = 1..=65_536;
/// Up to ten minutes.
const REQUEST_TIMEOUT_MS: RangeInclusive<u64> = 100..=600_000;
const SHUTDOWN_GRACE_MS: RangeInclusive<u64> = 0..=600_000;
/// Up to 31 days.
const REPEAT_WINDOW_MS: RangeInclusive<u64> = 0..=31 * 24 * 3_600_000;
/// Up to a hundred years.
const INQUIRY_RETENTION_DAYS: RangeInclusive<u64> = 0..=36_525;

const NOTIFY_TIMEOUT_MS: RangeInclusive<u64> = 100..=120_000;
const NOTIFY_FIRST_RETRY_MS: RangeInclusive<u64> = 1..=600_000;
/// Up to an hour.
const NOTIFY_LONGEST_RETRY_MS: RangeInclusive<u64> = 1..=3_600_000;
/// Up to 31 days.
const NOTIFY_GIVE_UP_AFTER_MS: RangeInclusive<u64> = 0..=31 * 24 * 3_600_000;
const NOTIFY_AT_ONCE: RangeInclusive<u64> = 1..=256;
const NOTIFY_POLL_MS: RangeInclusive<u64> = 10..=60_000;
/// CRD 2.2.1 found-2: 10 s at most.
const EHR_BUDGET_MS: RangeInclusive<u64> = 10..=10_000;
const EHR_PARALLEL: RangeInclusive<u64> = 1..=64;
const EHR_QUERIES: RangeInclusive<u64> = 1..=1000;
const EHR_PAGES: RangeInclusive<u64> = 1..=1000;
/// From a kibibyte to 64 MiB.
const EHR_BYTES: RangeInclusive<u64> = 1024..=64 * 1024 * 1024;
const EHR_CALLS: RangeInclusive<u64> = 1..=65_536;

/// How many origins may be named.
const MAX_ORIGINS: usize = 1000;

/// A mistake, and where it is.
pub(super) struct Mistake {
    /// The byte at which it is.
    pub(super) offset: Option<usize>,
    /// What is wrong.
    pub(super) what: String,
}

impl Mistake {
    /// The error that names the file and the line in its text.
    pub(super) fn in_file(self, file: String, text: &str) -> ConfigError {
        let line = self.offset.map(|offset| line_of(text, offset));
        ConfigError::Mistake { file, line, what: self.what }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    public_base: Option<Spanned<String>>,
    max_body_bytes: Option<Spanned<u64>>,
    max_concurrent_requests: Option<Spanned<u64>>,
    request_timeout_ms: Option<Spanned<u64>>,
    shutdown_grace_ms: Option<Spanned<u64>>,
    repeat_window_ms: Option<Spanned<u64>>,
    inquiry_retention_days: Option<Spanned<u64>>,
    #[serde(default)]
    notify_allow: Vec<Spanned<String>>,
    notify_timeout_ms: Option<Spanned<u64>>,
    notify_first_retry_ms: Option<Spanned<u64>>,
    notify_longest_retry_ms: Option<Spanned<u64>>,
    notify_give_up_after_ms: Option<Spanned<u64>>,
    notify_at_once: Option<Spanned<u64>>,
    notify_poll_ms: Option<Spanned<u64>>,
    #[serde(default)]
    ehr_allow: Vec<Spanned<String>>,
    ehr_budget_ms: Option<Spanned<u64>>,
    ehr_parallel: Option<Spanned<u64>>,
    ehr_queries: Option<Spanned<u64>>,
    ehr_pages: Option<Spanned<u64>>,
    ehr_answer_bytes: Option<Spanned<u64>>,
    ehr_total_bytes: Option<Spanned<u64>>,
    ehr_calls: Option<Spanned<u64>>,
    profiles: Option<PathBuf>,
    #[serde(default)]
    sandbox: bool,
    scenarios: Option<Spanned<PathBuf>>,
    production: Option<Spanned<bool>>,
    #[serde(default)]
    log_format: LogFormat,
    #[serde(default)]
    clients: Vec<RawClient>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    id: Spanned<String>,
    issuer: Option<String>,
    jku: Option<String>,
    key_set: PathBuf,
    algorithms: Option<Vec<SigningAlgorithm>>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    replay: Replay,
    #[serde(default)]
    reviews: bool,
    #[serde(default)]
    fhir_servers: Vec<Spanned<String>>,
    #[serde(default)]
    fhir_batch: bool,
}

/// Reads the file's text.
pub(super) fn read(folder: &Path, text: &str) -> Result<Config, Mistake> {
    let mut raw: RawConfig = toml::from_str(text).map_err(|problem| Mistake {
        offset: problem.span().map(|span| span.start),
        what: problem.message().to_owned(),
    })?;
    let (production, scenarios) = sandbox_of(folder, &raw)?;
    let standard = Config::default();
    let notify = read_notify(&mut raw, standard.notify)?;
    let ehr = read_ehr(&mut raw, standard.ehr)?;
    let max_body = bounded("max_body_bytes", raw.max_body_bytes, BODY_BYTES)?;
    let max_concurrent =
        bounded("max_concurrent_requests", raw.max_concurrent_requests, CONCURRENT_REQUESTS)?;
    let timeout = bounded("request_timeout_ms", raw.request_timeout_ms, REQUEST_TIMEOUT_MS)?;
    let grace = bounded("shutdown_grace_ms", raw.shutdown_grace_ms, SHUTDOWN_GRACE_MS)?;
    let window = bounded("repeat_window_ms", raw.repeat_window_ms, REPEAT_WINDOW_MS)?;
    let retention = raw.inquiry_retention_days.take();
    let retention = bounded("inquiry_retention_days", retention, INQUIRY_RETENTION_DAYS)?;
    let retention = retention.map(|days| Duration::from_hours(24 * days));
    let notify_timeout =
        bounded("notify_timeout_ms", raw.notify_timeout_ms.take(), NOTIFY_TIMEOUT_MS)?;
    Ok(Config {
        notify_timeout: notify_timeout.map_or(standard.notify_timeout, Duration::from_millis),
        notify,
        notify_allow: read_origins("notify_allow", raw.notify_allow)?,
        ehr_allow: read_ehr_allow(raw.ehr_allow, !raw.clients.is_empty())?,
        ehr,
        public_base: raw.public_base.map(read_base).transpose()?,
        max_body_bytes: max_body.map_or(standard.max_body_bytes, count),
        max_concurrent_requests: max_concurrent.map_or(standard.max_concurrent_requests, count),
        request_timeout: timeout.map_or(standard.request_timeout, Duration::from_millis),
        shutdown_grace: grace.map_or(standard.shutdown_grace, Duration::from_millis),
        repeat_window: window.map_or(standard.repeat_window, Duration::from_millis),
        inquiry_retention: retention.unwrap_or(standard.inquiry_retention),
        profiles: raw.profiles.map(|path| folder.join(path)),
        sandbox: raw.sandbox,
        production,
        scenarios,
        log_format: raw.log_format,
        clients: read_clients(folder, raw.clients, production)?,
    })
}

/// Whether real requests are decided, and where the sandbox's scenarios are: never both.
fn sandbox_of(folder: &Path, raw: &RawConfig) -> Result<(bool, Option<PathBuf>), Mistake> {
    let production = raw.production.as_ref().filter(|it| *it.get_ref());
    if let Some(production) = production.filter(|_| raw.sandbox || raw.scenarios.is_some()) {
        let what = "`production` excludes `sandbox` and `scenarios`: real requests are never \
                    answered by a script";
        return Err(Mistake { offset: Some(production.span().start), what: what.to_owned() });
    }
    match &raw.scenarios {
        Some(scenarios) if !raw.sandbox => {
            let what = "`scenarios` needs `sandbox = true`".to_owned();
            Err(Mistake { offset: Some(scenarios.span().start), what })
        }
        scenarios => {
            let file = scenarios.as_ref().map(|file| folder.join(file.get_ref()));
            Ok((production.is_some(), file))
        }
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// The limits above fit any platform's counts.
fn count(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn bounded(
    name: &str,
    value: Option<Spanned<u64>>,
    limits: RangeInclusive<u64>,
) -> Result<Option<u64>, Mistake> {
    let Some(value) = value else { return Ok(None) };
    if limits.contains(value.get_ref()) {
        return Ok(Some(value.into_inner()));
    }
    let what = format!("`{name}` is from {} to {}", limits.start(), limits.end());
    Err(Mistake { offset: Some(value.span().start), what })
}

/// A base is scheme, host, perhaps a port and a path: paths are added to it as they are.
fn read_base(base: Spanned<String>) -> Result<String, Mistake> {
    let offset = Some(base.span().start);
    let text = base.into_inner();
    let url = text.strip_suffix('/').unwrap_or(&text);
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let visible = url.bytes().all(|byte| byte.is_ascii_graphic());
    let plain = rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty());
    if plain && visible && !url.contains(['?', '#', '@']) && !url.ends_with('/') {
        return Ok(url.to_owned());
    }
    let what = "`public_base` is an http or https URL without user, query and fragment";
    Err(Mistake { offset, what: what.to_owned() })
}

fn read_notify(raw: &mut RawConfig, standard: NotifyTerms) -> Result<NotifyTerms, Mistake> {
    let first = raw.notify_first_retry_ms.take();
    let first = bounded("notify_first_retry_ms", first, NOTIFY_FIRST_RETRY_MS)?;
    let longest = raw.notify_longest_retry_ms.take();
    let longest = bounded("notify_longest_retry_ms", longest, NOTIFY_LONGEST_RETRY_MS)?;
    let give_up = raw.notify_give_up_after_ms.take();
    let give_up = bounded("notify_give_up_after_ms", give_up, NOTIFY_GIVE_UP_AFTER_MS)?;
    let at_once = bounded("notify_at_once", raw.notify_at_once.take(), NOTIFY_AT_ONCE)?;
    let poll = bounded("notify_poll_ms", raw.notify_poll_ms.take(), NOTIFY_POLL_MS)?;
    let time = |ms: Option<u64>, standard| ms.map_or(standard, Duration::from_millis);
    Ok(NotifyTerms {
        first_retry: time(first, standard.first_retry),
        longest_retry: time(longest, standard.longest_retry),
        give_up_after: time(give_up, standard.give_up_after),
        at_once: at_once.and_then(|it| u32::try_from(it).ok()).unwrap_or(standard.at_once),
        poll: time(poll, standard.poll),
    })
}

fn read_ehr(raw: &mut RawConfig, standard: EhrLimits) -> Result<EhrLimits, Mistake> {
    let number = |name: &str, value: &mut Option<Spanned<u64>>, limits, standard| {
        let value = bounded(name, value.take(), limits)?;
        Ok::<usize, Mistake>(value.map_or(standard, count))
    };
    let budget = bounded("ehr_budget_ms", raw.ehr_budget_ms.take(), EHR_BUDGET_MS)?;
    let answer = &mut raw.ehr_answer_bytes;
    Ok(EhrLimits {
        budget: budget.map_or(standard.budget, Duration::from_millis),
        parallel: number("ehr_parallel", &mut raw.ehr_parallel, EHR_PARALLEL, standard.parallel)?,
        queries: number("ehr_queries", &mut raw.ehr_queries, EHR_QUERIES, standard.queries)?,
        pages: number("ehr_pages", &mut raw.ehr_pages, EHR_PAGES, standard.pages)?,
        answer_bytes: number("ehr_answer_bytes", answer, EHR_BYTES, standard.answer_bytes)?,
        total_bytes: number(
            "ehr_total_bytes",
            &mut raw.ehr_total_bytes,
            EHR_BYTES,
            standard.total_bytes,
        )?,
        calls: number("ehr_calls", &mut raw.ehr_calls, EHR_CALLS, standard.calls)?,
    })
}

/// Who calls is known where clients are registered; then each has servers of its own.
fn read_ehr_allow(
    origins: Vec<Spanned<String>>,
    has_clients: bool,
) -> Result<Vec<Origin>, Mistake> {
    if let Some(first) = origins.first().filter(|_| has_clients) {
        let what = "`ehr_allow` is for development without clients: a registered client has \
                    `fhir_servers` of its own";
        return Err(Mistake { offset: Some(first.span().start), what: what.to_owned() });
    }
    read_origins("ehr_allow", origins)
}

fn read_origins(key: &str, origins: Vec<Spanned<String>>) -> Result<Vec<Origin>, Mistake> {
    if let Some(beyond) = origins.get(MAX_ORIGINS) {
        let what = format!("at most {MAX_ORIGINS} origins can be allowed");
        return Err(Mistake { offset: Some(beyond.span().start), what });
    }
    let read = |origin: Spanned<String>| {
        Origin::parse(origin.get_ref()).map_err(|error| Mistake {
            offset: Some(origin.span().start),
            what: format!("`{key}`: {error}"),
        })
    };
    origins.into_iter().map(read).collect()
}

fn read_clients(
    folder: &Path,
    clients: Vec<RawClient>,
    production: bool,
) -> Result<Vec<ClientSettings>, Mistake> {
    if let Some(beyond) = clients.get(MAX_CLIENTS) {
        let what = format!("at most {MAX_CLIENTS} clients can be registered");
        return Err(Mistake { offset: Some(beyond.id.span().start), what });
    }
    let settings = clients.into_iter().map(|raw| {
        Ok(ClientSettings {
            id: raw.id.into_inner(),
            issuer: raw.issuer,
            jku: raw.jku,
            key_set: folder.join(raw.key_set),
            algorithms: raw.algorithms.unwrap_or_else(|| SigningAlgorithm::ALL.to_vec()),
            audiences: raw.audiences,
            replay: raw.replay,
            reviews: raw.reviews,
            fhir_servers: read_fhir_servers(raw.fhir_servers, production)?,
            fhir_batch: raw.fhir_batch,
        })
    });
    settings.collect()
}

/// CDS Hooks: `fhirServer` is https in production; a token would go out in the clear.
fn read_fhir_servers(
    origins: Vec<Spanned<String>>,
    production: bool,
) -> Result<Vec<Origin>, Mistake> {
    let is_plain = |it: &&Spanned<String>| !it.get_ref().starts_with("https://");
    if let Some(plain) = origins.iter().find(is_plain).filter(|_| production) {
        let what = "`fhir_servers` are https in production: they are sent access tokens";
        return Err(Mistake { offset: Some(plain.span().start), what: what.to_owned() });
    }
    read_origins("fhir_servers", origins)
}
