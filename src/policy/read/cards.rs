//! The cards of an edition.

use serde::Deserialize;
use toml::Spanned;

use super::{PolicyError, SetReader, error, line_of};
use crate::policy::card::{CardRule, Shows, When};
use crate::policy::criterion::Clause;

/// `[[card]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCard {
    id: Spanned<String>,
    summary: String,
    detail: Option<String>,
    when: Option<When>,
    shows: Shows,
}

/// CDS Hooks: a summary has fewer characters than this.
const SUMMARY_LIMIT: usize = 140;

/// Reads the cards and their files, and checks them against the clauses.
pub(super) fn read_cards(
    sets: &SetReader<'_>,
    file: &str,
    text: &str,
    raw: Vec<RawCard>,
    clauses: &[Clause],
    errors: &mut Vec<PolicyError>,
) -> Vec<CardRule> {
    let mut cards: Vec<CardRule> = Vec::new();
    for card in raw {
        let line = line_of(text, card.id.span().start);
        let id = card.id.into_inner();
        let mut report = |what: String| {
            let what = format!("card {id}: {what}");
            errors.push(error(file, Some(line), what));
        };
        if cards.iter().any(|known| *known.id == id) {
            report("the id stands on another card already".to_owned());
        }
        let length = card.summary.chars().count();
        if length == 0 || length >= SUMMARY_LIMIT {
            report(format!("`summary` has {length} characters; 1 to 139 are shown"));
        }
        if let Some(when) = &card.when {
            if !clauses.iter().any(|clause| clause.id == when.clause) {
                report(format!("`when` names the clause `{}`, which is none", when.clause));
            }
            if when.nothing_found && when.truth != crate::terms::Truth::Unknown {
                report("`nothing_found` is said of an unknown alone".to_owned());
            }
        }
        let mut shows = card.shows;
        let has_detail = card.detail.as_ref().is_some_and(|it| !it.trim().is_empty());
        for template in shows.templates_mut() {
            let name = template.file().to_owned();
            let path = format!("{}/cards/{name}", sets.folder);
            let taken = match sets.files.get(&path) {
                Some(text) => template.take(text),
                None => Err("the file is not there".to_owned()),
            };
            if let Err(what) = taken {
                report(format!("cards/{name}: {what}"));
            }
        }
        shows.faults(has_detail).into_iter().for_each(&mut report);
        cards.push(CardRule {
            id: id.into(),
            when: card.when,
            summary: card.summary.into(),
            detail: card.detail.map(Into::into),
            shows,
        });
    }
    cards
}
