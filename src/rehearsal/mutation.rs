//! Changes of a policy, one at a time: what somebody could have got wrong in it.
//!
//! They are made in the texts of its files and know nothing of single kinds of condition.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::Files;

/// The content of a value set of which no record has a code.
const EMPTIED: &str = r#"{ "compose": { "include": [
    { "system": "urn:priorauth:nothing", "concept": [{ "code": "nothing" }] }
] } }"#;

/// One change of a policy.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The file that is changed.
    pub file: String,
    /// The line of the change, from 1.
    pub line: usize,
    /// What is changed, in words.
    pub what: String,
    /// How.
    pub change: Change,
}

/// How a policy is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This clause is left out.
    Drop(Range<usize>),
    /// This clause is met where it is not met, and the other way round.
    Invert(Box<str>),
    /// Other text in this place of the file.
    Text(Range<usize>, String),
}

impl Mutation {
    /// Whether it changes a whole clause, and not a number, a code or a word.
    #[must_use]
    pub fn is_of_clause(&self) -> bool {
        match self.change {
            Change::Drop(_) | Change::Invert(_) => true,
            Change::Text(..) => false,
        }
    }

    /// The files of the policy with the change in their texts, and without the policies' cards:
    /// these decide nothing, and may wait for a clause that the change takes away.
    #[must_use]
    pub fn applied(&self, files: &Files) -> Files {
        let mut files = files.clone();
        let text = files.get_mut(&self.file);
        match (&self.change, text) {
            (Change::Drop(range), Some(text)) => text.replace_range(range.clone(), ""),
            (Change::Text(range, with), Some(text)) => text.replace_range(range.clone(), with),
            (Change::Invert(_), _) | (_, None) => {}
        }
        for (_, text) in files.iter_mut().filter(|(path, _)| path.ends_with("policy.toml")) {
            for card in tables(text, |head| head.starts_with("[[card]]"), is_in_card).iter().rev() {
                text.replace_range(card.clone(), "");
            }
        }
        files
    }
}

/// Every change of the policies below `within`, file by file.
///
/// A file that is no TOML has none: reading the policy says what is wrong with it.
#[must_use]
pub fn all(files: &Files, within: &str) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for (file, text) in files.range(within.to_owned()..) {
        let Some(folder) = file.strip_suffix("policy.toml") else { continue };
        if !file.starts_with(within) {
            continue;
        }
        if let Ok(table) = DeTable::parse(text) {
            let (uses, own) = (BTreeMap::new(), Vec::new());
            let mut walk = Walk { files, folder, file, text, uses, mutations: own };
            walk.edition(table.get_ref());
            walk.mutations.sort_by_key(|mutation| mutation.line);
            walk.emptied_sets();
            mutations.append(&mut walk.mutations);
        }
    }
    mutations
}

/// Goes through one file and notes what can be changed.
struct Walk<'f> {
    files: &'f Files,
    folder: &'f str,
    file: &'f str,
    text: &'f str,
    /// The value sets with how often they are named.
    uses: BTreeMap<&'f str, usize>,
    mutations: Vec<Mutation>,
}

impl Walk<'_> {
    /// An edition without a clause, such as a renewal, says nothing that could be changed.
    fn edition(&mut self, table: &DeTable<'_>) {
        let Some(clauses) = table.get("clause").and_then(|it| it.get_ref().as_array()) else {
            return;
        };
        let mut drops = tables(self.text, is_clause, is_in_clause).into_iter();
        for clause in clauses {
            let Some(id) = clause.get_ref().get("id").and_then(|id| id.get_ref().as_str()) else {
                continue;
            };
            if let Some(range) = drops.next() {
                let start = range.start;
                self.lists_of_tables(id, range.clone());
                self.add(start, format!("clause {id} left out"), Change::Drop(range));
                let change = Change::Invert(id.into());
                self.add(start, format!("clause {id} inverted"), change);
            }
        }
        let decides = |key: &str| !matches!(key, "clause" | "card");
        for (key, value) in table.iter().filter(|(key, _)| decides(key.get_ref())) {
            self.value(key.get_ref(), value);
        }
        for clause in clauses {
            let id = clause.get_ref().get("id").and_then(|id| id.get_ref().as_str());
            let condition = clause.get_ref().get("condition");
            if let (Some(id), Some(condition)) = (id, condition) {
                self.value(&format!("clause {id}: "), condition);
            }
        }
    }

    /// The lists of tables that a clause has beside its condition: each table is left out.
    fn lists_of_tables(&mut self, id: &str, range: Range<usize>) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let is_list = |head: &str| head.starts_with("[[clause.");
        for table in tables(text, is_list, |_| false) {
            let whole = range.start + table.start..range.start + table.end;
            let mut lines = text.get(table).unwrap_or_default().lines();
            let list = lines.next().unwrap_or_default().trim_start_matches("[[clause.");
            let list = list.trim_end().trim_end_matches(']');
            let what = format!("clause {id}: {list} without {}", lines.next().unwrap_or_default());
            self.add(whole.start, what, Change::Text(whole, String::new()));
        }
    }

    /// A value below `path`: `clause 4: ` or `disease.names`.
    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        let range = value.span();
        match value.get_ref() {
            DeValue::Integer(_) => self.number(path, range),
            DeValue::String(word) => {
                if self.is_value_set(word) {
                    let what = format!("{path} without the value set `{word}`");
                    self.add(range.start, what, Change::Text(range, "[]".to_owned()));
                }
            }
            DeValue::Array(items) => {
                for item in items {
                    let name = self.text.get(item.span()).unwrap_or_default();
                    if let Some(word) = item.get_ref().as_str() {
                        self.is_value_set(word);
                    }
                    let what = format!("{path} without {name}");
                    let cut = with_comma(self.text, item.span());
                    self.add(item.span().start, what, Change::Text(cut, String::new()));
                    if item.get_ref().is_table() {
                        self.value(path, item);
                    }
                }
            }
            DeValue::Table(table) => {
                let is_start = path.is_empty() || path.ends_with(' ');
                let dot = if is_start { "" } else { "." };
                for (key, value) in table {
                    self.value(&format!("{path}{dot}{}", key.get_ref()), value);
                }
            }
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn number(&mut self, path: &str, range: Range<usize>) {
        let written = self.text.get(range.clone()).unwrap_or_default();
        let Ok(number) = written.replace('_', "").parse::<i64>() else { return };
        for other in [number.saturating_sub(1), number.saturating_add(1)] {
            let what = format!("{path} = {written} becomes {other}");
            self.add(range.start, what, Change::Text(range.clone(), other.to_string()));
        }
    }

    /// Whether a word names a value set of the edition; if it does, that use is counted.
    fn is_value_set(&mut self, word: &str) -> bool {
        let path = format!("{}valuesets/{word}.json", self.folder);
        let Some((path, _)) = self.files.get_key_value(&path) else { return false };
        *self.uses.entry(path).or_default() += 1;
        true
    }

    /// A value set that is named once is emptied where it is named.
    fn emptied_sets(&mut self) {
        for (path, uses) in std::mem::take(&mut self.uses) {
            let Some(text) = self.files.get(path).filter(|_| uses > 1) else { continue };
            self.mutations.push(Mutation {
                file: path.to_owned(),
                line: 1,
                what: format!("no codes, in all {uses} uses"),
                change: Change::Text(0..text.len(), EMPTIED.to_owned()),
            });
        }
    }

    fn add(&mut self, start: usize, what: String, change: Change) {
        let above = self.text.get(..start).unwrap_or_default();
        let line = above.matches('\n').count() + 1;
        self.mutations.push(Mutation { file: self.file.to_owned(), line, what, change });
    }
}

/// The text of each table of a list of tables, from a head for which `is_head` to the next that
/// is not `inside` it.
fn tables(
    text: &str,
    is_head: impl Fn(&str) -> bool,
    inside: impl Fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut is_open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if line.starts_with('[') && is_head(line) {
            ranges.push(start..at);
            is_open = true;
        } else {
            is_open = is_open && (!line.starts_with('[') || inside(line));
            if let Some(last) = ranges.last_mut().filter(|_| is_open) {
                last.end = at;
            }
        }
    }
    ranges
}

fn is_clause(head: &str) -> bool {
    head.starts_with("[[clause]]")
}

fn is_in_clause(head: &str) -> bool {
    head.trim_start_matches('[').starts_with("clause.")
}

fn is_in_card(head: &str) -> bool {
    head.trim_start_matches('[').starts_with("card.")
}

/// An item of a list with the comma behind it, or if there is none, before it.
fn with_comma(text: &str, item: Range<usize>) -> Range<usize> {
    let behind = text.get(item.end..).unwrap_or_default();
    let rest = behind.trim_start();
    if rest.starts_with(',') {
        return item.start..item.end + (behind.len() - rest.len()) + 1;
    }
    let before = text.get(..item.start).unwrap_or_default().trim_end();
    match before.strip_suffix(',') {
        Some(kept) => kept.len()..item.end,
        None => item,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
id = "p"
names = ["a", "b"]
[disease]
word = "set"
twice = ["set", "other"]
[[clause]]
id = "1"
[clause.asks]
x = "set"
[clause.condition]
years = 18
[[clause.attested]]
proves = "met"
[[clause.attested]]
proves = "judgement"
[[clause]]
id = "2"
[clause.condition]
agents = [
    { name = "n", codes = "set" },
]
[[card]]
id = "c"
[card.when]
clause = "1"
"#;

    fn files() -> Files {
        let mut files = Files::new();
        files.insert("p/2026-01-01/policy.toml".to_owned(), POLICY.to_owned());
        files.insert("p/2026-01-01/valuesets/set.json".to_owned(), "{}".to_owned());
        files
    }

    #[test]
    fn every_clause_number_item_and_use_of_a_value_set_is_changed_once() {
        let mutations = all(&files(), "");
        let whats: Vec<String> =
            mutations.iter().map(|it| format!("{}: {}", it.line, it.what)).collect();
        assert_eq!(
            whats,
            [
                "3: names without \"a\"",
                "3: names without \"b\"",
                "5: disease.word without the value set `set`",
                "6: disease.twice without \"set\"",
                "6: disease.twice without \"other\"",
                "7: clause 1 left out",
                "7: clause 1 inverted",
                "12: clause 1: years = 18 becomes 17",
                "12: clause 1: years = 18 becomes 19",
                "13: clause 1: attested without proves = \"met\"",
                "15: clause 1: attested without proves = \"judgement\"",
                "17: clause 2 left out",
                "17: clause 2 inverted",
                "21: clause 2: agents without { name = \"n\", codes = \"set\" }",
                "21: clause 2: agents.codes without the value set `set`",
                "1: no codes, in all 3 uses",
            ]
        );
    }

    #[test]
    fn a_changed_text_can_still_be_read_and_lacks_just_what_was_taken() {
        for mutation in all(&files(), "p/2026-01-01/") {
            let changed = mutation.applied(&files());
            let text = &changed["p/2026-01-01/policy.toml"];
            let table = text.parse::<toml::Table>();
            let table = table.unwrap_or_else(|error| panic!("{}: {error}", mutation.what));
            assert!(!table.contains_key("card"), "{}", mutation.what);
            let clauses = table["clause"].as_array().unwrap().len();
            let is_drop = matches!(mutation.change, Change::Drop(_));
            assert_eq!(clauses, if is_drop { 1 } else { 2 }, "{}", mutation.what);
            let others = files();
            let without_cards = POLICY.split("[[card]]").next().unwrap();
            let is_same = text == without_cards
                && others.iter().all(|(path, it)| changed.get(path) == Some(it) || it == POLICY);
            assert_eq!(is_same, matches!(mutation.change, Change::Invert(_)), "{}", mutation.what);
        }
    }

    #[test]
    fn what_was_not_asked_for_is_left_alone() {
        assert_eq!(all(&files(), "q/").len(), 0);
        assert_eq!(all(&files(), "p/2025").len(), 0);
    }
}
