//! The file of sandbox scenarios as it is written, and the limits of each key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::raw::Mistake;
use crate::service::scenario::{Ending, Later, Scenario, Scenarios};

/// How many members may have a scenario.
const MAX_MEMBERS: usize = 1000;
/// Up to a day.
const AFTER_SECONDS: RangeInclusive<u64> = 1..=86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenarios {
    members: BTreeMap<String, Spanned<RawScenario>>,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
enum RawScenario {
    Approve {},
    Deny {
        #[serde(default)]
        reason_codes: Vec<String>,
    },
    Pend {
        finalize: Option<RawEnding>,
        after_seconds: Option<u64>,
        #[serde(default)]
        reason_codes: Vec<String>,
    },
    Modify {
        quantity: String,
    },
    Error {},
    MustSupport {},
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawEnding {
    Approve,
    Deny,
}

/// Reads the file's text.
pub(super) fn read(text: &str) -> Result<Scenarios, Mistake> {
    let raw: RawScenarios = toml::from_str(text).map_err(|problem| Mistake {
        offset: problem.span().map(|span| span.start),
        what: problem.message().to_owned(),
    })?;
    if raw.members.is_empty() || raw.members.len() > MAX_MEMBERS {
        let what = format!("1 to {MAX_MEMBERS} members have a scenario");
        return Err(Mistake { offset: None, what });
    }
    let mut scenarios = BTreeMap::new();
    for (member, raw) in raw.members {
        let offset = Some(raw.span().start);
        if member.trim().is_empty() {
            let what = "a member id has at least one letter or digit".to_owned();
            return Err(Mistake { offset, what });
        }
        let scenario =
            scenario(raw.into_inner()).map_err(|what| Mistake { offset, what: what.to_owned() })?;
        scenarios.insert(member, scenario);
    }
    Ok(Scenarios::new(scenarios))
}

fn scenario(raw: RawScenario) -> Result<Scenario, &'static str> {
    Ok(match raw {
        RawScenario::Approve {} => Scenario::Approve,
        RawScenario::Deny { reason_codes } => {
            Scenario::Deny { reason_codes: checked(reason_codes)? }
        }
        RawScenario::Pend { finalize, after_seconds, reason_codes } => {
            Scenario::Pend(later(finalize, after_seconds, checked(reason_codes)?)?)
        }
        RawScenario::Modify { quantity } => {
            let amount = quantity.parse::<f64>();
            if !amount.is_ok_and(|amount| amount > 0.0 && amount.is_finite()) {
                return Err("`quantity` is a positive decimal in quotes");
            }
            Scenario::Modify { quantity }
        }
        RawScenario::Error {} => Scenario::Error,
        RawScenario::MustSupport {} => Scenario::MustSupport,
    })
}

fn later(
    finalize: Option<RawEnding>,
    after_seconds: Option<u64>,
    reason_codes: Vec<String>,
) -> Result<Option<Later>, &'static str> {
    let (ending, after) = match (finalize, after_seconds) {
        (None, None) if reason_codes.is_empty() => return Ok(None),
        (None, None) => return Err("`reason_codes` belong to `finalize = \"deny\"`"),
        (Some(ending), Some(after)) => (ending, after),
        (_, _) => return Err("`finalize` and `after_seconds` stand together"),
    };
    if !AFTER_SECONDS.contains(&after) {
        return Err("`after_seconds` is from 1 to 86400");
    }
    let ending = match (ending, reason_codes.is_empty()) {
        (RawEnding::Approve, true) => Ending::Approve,
        (RawEnding::Approve, false) => return Err("an approval has no `reason_codes`"),
        // A review that denies has a specific reason (clinical.md 10.3).
        (RawEnding::Deny, true) => return Err("`finalize = \"deny\"` needs `reason_codes`"),
        (RawEnding::Deny, false) => Ending::Deny { reason_codes },
    };
    Ok(Some(Later { after: Duration::from_secs(after), ending }))
}

fn checked(reason_codes: Vec<String>) -> Result<Vec<String>, &'static str> {
    let is_code = |code: &String| {
        (1..=5).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if reason_codes.iter().all(is_code) {
        Ok(reason_codes)
    } else {
        Err("a reason code has up to five letters and digits")
    }
}
