//! Reads one laboratory result about a biomarker (clinical.md 5.1).
//!
//! Codes first; the words of a result value are read by a closed list of phrases, and anything
//! outside it is unknown (rulings 17).

use serde::Deserialize;

use crate::facts::{Answer, Component, Observation, Value};
use crate::policy::codes::Codes;
use crate::terms::{Coding, Concept};

/// How the results of a biomarker are coded and worded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assay {
    /// Tests of the whole gene or codon: negative means that there is no variant of the kind.
    pub gene_test: Codes,
    /// Tests of a single variant: positive counts, negative says nothing of the others.
    pub narrow_test: Codes,
    /// General variant reports, which name gene and change in components.
    pub variant_report: Codes,
    /// The component that names the gene.
    pub gene_component: Codes,
    /// The gene.
    pub gene: Codes,
    /// Components that name a change.
    pub change_components: Codes,
    /// The component that says where the genome came from.
    pub origin_component: Codes,
    /// The origin that does not count: inherited, not of the tumour.
    pub inherited: Codes,
    /// Changes that are variants of the kind.
    pub variants: Codes,
    /// Changes that are not.
    pub other_variants: Codes,
    /// Orders and billing codes of a test: they say that there may be a result.
    pub ordered: Codes,
    /// Diagnoses that carry the variant in their name.
    pub diagnoses: Codes,
    /// Positive answers.
    pub positive: Codes,
    /// Negative answers.
    pub negative: Codes,
    /// The answer that no test was done.
    pub not_done: Codes,
    /// Words in method or specimen that say the sample was not tumour tissue.
    pub liquid_words: Vec<String>,
    /// Words in the name of a test that say that it reads tissue too.
    pub tissue_words: Vec<String>,
    /// Names of the gene in words: a result that only they show is asked for.
    pub names: Vec<String>,
    /// How a change of the kind is written, `{x}` standing for the new amino acid.
    pub spellings: Vec<String>,
    /// The new amino acids, in one letter and in three.
    pub amino_acids: Vec<String>,
    /// Phrases, in lower case without punctuation; `{v}` stands for a change of the kind.
    pub phrases: Phrases,
}

/// The closed list of phrases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrases {
    /// A variant of the kind is there.
    pub positive: Vec<String>,
    /// Something is there; the test says what.
    pub unspecific: Vec<String>,
    /// No variant of the kind is there.
    pub negative: Vec<String>,
    /// One variant is not there.
    pub narrow_negative: Vec<String>,
    /// Words that may stand in a phrase without changing it.
    pub fillers: Vec<String>,
}

/// What a result says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A variant of the kind is there.
    Positive,
    /// None is there.
    Negative,
    /// It does not tell, for this reason; a negative result of another test stands beside it.
    Open(&'static str),
    /// It does not tell and may mean that a variant is there: no other result settles it.
    Suspect(&'static str),
    /// No test was done.
    NotDone,
    /// It is about something else.
    Other,
}

/// What an answer says by itself, before the scope of its test is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// A variant of the kind, named.
    Variant,
    /// Another variant, named.
    OtherVariant,
    Positive,
    Negative,
    /// One variant is absent.
    NarrowNegative,
    NotDone,
    Unclear,
    Nothing,
}

impl Assay {
    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![
            &mut self.gene_test,
            &mut self.narrow_test,
            &mut self.variant_report,
            &mut self.gene_component,
            &mut self.gene,
            &mut self.change_components,
            &mut self.origin_component,
            &mut self.inherited,
            &mut self.variants,
            &mut self.other_variants,
            &mut self.ordered,
            &mut self.diagnoses,
            &mut self.positive,
            &mut self.negative,
            &mut self.not_done,
        ]
    }

    /// Reads an Observation; its status, subject and date are looked at elsewhere.
    #[must_use]
    pub fn read(&self, observation: &Observation) -> Reading {
        let is_gene_test = self.gene_test.has(&observation.code);
        let is_narrow = self.narrow_test.has(&observation.code);
        let is_report = self.variant_report.has(&observation.code);
        if !(is_gene_test || is_narrow || is_report) {
            let says_variant =
                matches!(&observation.value.value, Value::Coded(it) if self.diagnoses.has(it));
            return if observation.code.mentions(&self.names) || says_variant {
                Reading::Suspect("a test that is not in the policy's lists")
            } else {
                Reading::Other
            };
        }
        let parts = self.parts(&observation.components);
        if parts.inherited {
            return Reading::Other;
        }
        if is_report && !parts.gene {
            return if parts.gene_in_words {
                Reading::Suspect("the gene is named in words only")
            } else {
                Reading::Other
            };
        }
        let call = self.call(observation);
        let change = parts.change;
        match (call, change) {
            (Word::NotDone, _) => Reading::NotDone,
            (Word::Negative | Word::NarrowNegative, Some(_)) | (Word::NarrowNegative, None) => {
                Reading::Open("one variant is absent; others were not looked for")
            }
            (Word::Negative, None) if is_narrow || self.names_one_variant(observation) => {
                Reading::Open("a test of one variant cannot exclude the others")
            }
            (Word::Negative, None) if parts.origin_in_words => {
                Reading::Open("the origin of the genome is told in words only")
            }
            (Word::Negative, None) => Reading::Negative,
            (Word::Variant, _) | (Word::Positive | Word::Nothing, Some(Word::Variant)) => {
                Reading::Positive
            }
            (Word::Positive, None) if is_narrow => Reading::Positive,
            (Word::OtherVariant, None) | (_, Some(Word::OtherVariant)) => {
                Reading::Open("another variant of the gene")
            }
            (Word::Positive, _) => Reading::Suspect("positive, without saying which variant"),
            (Word::OtherVariant | Word::Unclear | Word::Nothing, _) => {
                Reading::Suspect("no result that can be read")
            }
        }
    }

    /// Whether name or method of a test speak of a single variant (N16).
    fn names_one_variant(&self, observation: &Observation) -> bool {
        let names = std::iter::once(&observation.code)
            .chain(&observation.reports)
            .chain(&observation.specimen);
        names.filter_map(|concept| concept.text.as_deref()).any(|text| self.names_variant(text))
    }

    /// Whether a change of the kind stands anywhere in a text.
    fn names_variant(&self, text: &str) -> bool {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| self.change(word).is_some())
    }

    /// What a negative code says beside these words, which can only take away (N3): words that name
    /// a variant, and are not known to deny all of them, leave it open.
    fn negative_beside(&self, text: &str) -> Word {
        match self.phrase(text) {
            Word::Variant | Word::Positive => Word::Unclear,
            Word::NarrowNegative => Word::NarrowNegative,
            Word::Unclear if self.names_variant(text) => Word::Unclear,
            Word::OtherVariant | Word::Negative | Word::NotDone | Word::Unclear | Word::Nothing => {
                Word::Negative
            }
        }
    }

    /// The codes and words by which the components of a variant name gene and change.
    pub(super) fn what_is_named(&self, observation: &Observation) -> Vec<(Vec<Coding>, String)> {
        let names = observation.components.iter().filter(|component| {
            self.gene_component.has(&component.code) || self.change_components.has(&component.code)
        });
        let mut names: Vec<(Vec<Coding>, String)> = names
            .map(|component| match &component.value.value {
                Value::Coded(name) => (name.codings.clone(), String::new()),
                Value::Text(name) => (Vec::new(), name.to_string()),
                Value::None | Value::Boolean(_) | Value::Quantity { .. } => Default::default(),
            })
            .collect();
        names.sort();
        names
    }

    /// Whether an Observation may be about the gene: it names that gene, or none by a code.
    #[must_use]
    pub fn may_be_about_gene(&self, observation: &Observation) -> bool {
        let parts = self.parts(&observation.components);
        let mut names = observation.components.iter();
        parts.gene
            || parts.gene_in_words
            || !names.any(|component| self.gene_component.has(&component.code))
    }

    /// The call of the Observation: all that value and interpretation say, if they agree.
    fn call(&self, observation: &Observation) -> Word {
        let mut words = vec![self.answer(&observation.value)];
        words.extend(observation.interpretations.iter().map(|it| self.concept(it)));
        let named = self.parts(&observation.components).calls;
        words.extend(named);
        words.retain(|word| *word != Word::Nothing);
        if words.contains(&Word::Negative) {
            words.extend(observation.conclusion.as_deref().map(|it| self.negative_beside(it)));
        }
        let speaks_of = |wanted: &[Word]| words.iter().any(|word| wanted.contains(word));
        let positive = speaks_of(&[Word::Variant, Word::Positive]);
        let negative = speaks_of(&[Word::Negative, Word::NarrowNegative]);
        if positive && negative || speaks_of(&[Word::Unclear]) {
            return Word::Unclear;
        }
        // The word that says most comes first.
        let order = [
            Word::NotDone,
            Word::Variant,
            Word::OtherVariant,
            Word::NarrowNegative,
            Word::Negative,
            Word::Positive,
        ];
        order.into_iter().find(|word| words.contains(word)).unwrap_or(Word::Nothing)
    }

    fn answer(&self, answer: &Answer) -> Word {
        if self.not_done.has(&answer.absent_reason) {
            return Word::NotDone;
        }
        match &answer.value {
            Value::None => Word::Nothing,
            Value::Coded(concept) => self.concept(concept),
            Value::Text(text) => self.phrase(text),
            Value::Boolean(_) | Value::Quantity { .. } => Word::Unclear,
        }
    }

    /// What a coded answer says; its words are read only if no code does.
    fn concept(&self, concept: &Concept) -> Word {
        if self.not_done.has(concept) {
            return Word::NotDone;
        }
        let variant = names_change(&self.variants, concept);
        let positive = self.positive.has(concept);
        let negative = self.negative.has(concept);
        match (variant, names_change(&self.other_variants, concept), positive, negative) {
            (true, false, _, false) => Word::Variant,
            (false, true, _, false) => Word::OtherVariant,
            (false, false, true, false) => Word::Positive,
            (false, false, false, true) => {
                concept.text.as_deref().map_or(Word::Negative, |it| self.negative_beside(it))
            }
            (false, false, false, false) if concept.codings.is_empty() => {
                concept.text.as_deref().map_or(Word::Nothing, |text| self.phrase(text))
            }
            (false, false, false, false) => self.hgvs(concept),
            (_, _, _, _) => Word::Unclear,
        }
    }

    /// A change given as a code of a nomenclature, `NP_004324.2:p.Val600Glu`.
    fn hgvs(&self, concept: &Concept) -> Word {
        let change = concept.codings.iter().find_map(|coding| self.change(&coding.code));
        change.unwrap_or(Word::Unclear)
    }

    /// Reads a single written change.
    fn change(&self, text: &str) -> Option<Word> {
        let text = text.rsplit(':').next().unwrap_or(text);
        let bare: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '.' | '(' | ')'))
            .collect::<String>()
            .to_lowercase();
        let bare = bare.strip_prefix('p').unwrap_or(&bare);
        let is_kind = self.spellings.iter().any(|spelling| {
            let Some((before, after)) = spelling.split_once("{x}") else { return false };
            let middle = bare.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            middle.is_some_and(|middle| self.amino_acids.iter().any(|known| known == middle))
        });
        is_kind.then_some(Word::Variant)
    }

    /// Reads the words of a result by the closed list.
    fn phrase(&self, text: &str) -> Word {
        let lower = text.to_lowercase();
        let raw: Vec<&str> = lower
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .map(|raw| raw.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '(' | ')')))
            .filter(|raw| !raw.is_empty())
            .collect();
        let mut words: Vec<&str> = Vec::new();
        let mut rest = raw.as_slice();
        while let [first, behind @ ..] = rest {
            // A change may be written in up to three pieces: `V 600 E` (5.1: spaces are ignored).
            let pieces = (1..=3).rev().find(|pieces| {
                rest.get(..*pieces).is_some_and(|some| self.change(&some.concat()).is_some())
            });
            if let Some(pieces) = pieces {
                words.push("{v}");
                rest = rest.get(pieces..).unwrap_or_default();
                continue;
            }
            if !self.phrases.fillers.iter().any(|filler| filler == first) {
                words.push(first);
            }
            rest = behind;
        }
        let phrase = words.join(" ");
        let in_list = |list: &[String]| list.contains(&phrase);
        if phrase.is_empty() {
            Word::Nothing
        } else if in_list(&self.phrases.positive) {
            Word::Variant
        } else if in_list(&self.phrases.unspecific) {
            Word::Positive
        } else if in_list(&self.phrases.negative) {
            Word::Negative
        } else if in_list(&self.phrases.narrow_negative) {
            Word::NarrowNegative
        } else {
            Word::Unclear
        }
    }

    fn parts(&self, components: &[Component]) -> Parts {
        let mut parts = Parts::default();
        for component in components {
            if self.gene_component.has(&component.code) {
                match &component.value.value {
                    Value::Coded(gene) => {
                        let is_gene = self.gene.has(gene);
                        parts.gene |= is_gene;
                        // What stands at the gene can only speak against a negative call.
                        let calls = component.interpretations.iter().map(|it| self.concept(it));
                        parts.calls.extend(calls.filter(|word| is_gene && *word != Word::Negative));
                        parts.gene_in_words |= gene.mentions(&self.names);
                    }
                    Value::Text(_) => parts.gene_in_words = true,
                    Value::None | Value::Boolean(_) | Value::Quantity { .. } => {}
                }
            } else if self.origin_component.has(&component.code) {
                match &component.value.value {
                    Value::Coded(origin) => {
                        parts.inherited |= self.inherited.has(origin);
                        parts.origin_in_words |= origin.codings.is_empty();
                    }
                    Value::Text(_) => parts.origin_in_words = true,
                    Value::None | Value::Boolean(_) | Value::Quantity { .. } => {}
                }
            } else if self.change_components.has(&component.code) {
                let word = match &component.value.value {
                    Value::Coded(change) => self.concept(change),
                    Value::Text(text) => self.change(text).unwrap_or(Word::Unclear),
                    Value::None | Value::Boolean(_) | Value::Quantity { .. } => Word::Nothing,
                };
                // A named variant of the kind decides, then one that could not be read.
                let word = match word {
                    Word::Variant | Word::OtherVariant => Some(word),
                    Word::Nothing => None,
                    Word::Positive
                    | Word::Negative
                    | Word::NarrowNegative
                    | Word::NotDone
                    | Word::Unclear => Some(Word::Unclear),
                };
                parts.change = match (parts.change, word) {
                    (Some(Word::Variant), _) | (_, Some(Word::Variant)) => Some(Word::Variant),
                    (Some(Word::Unclear), _) | (_, Some(Word::Unclear)) => Some(Word::Unclear),
                    (known, new) => known.or(new),
                };
                parts.calls.extend(component.interpretations.iter().map(|it| self.concept(it)));
            }
        }
        parts
    }

    /// Whether method or specimen are told by codes only, which nobody reads.
    #[must_use]
    pub fn has_unread_sample(&self, observation: &Observation) -> bool {
        observation.specimen.iter().any(|it| it.text.is_none() && !it.codings.is_empty())
    }

    /// Whether the sample is said not to be tumour tissue (rulings 16).
    #[must_use]
    pub fn is_liquid(&self, observation: &Observation) -> bool {
        // "in blood or tissue" says neither.
        let is_liquid_test = |name: &Concept| {
            name.mentions(&self.liquid_words) && !name.mentions(&self.tissue_words)
        };
        observation.specimen.iter().any(|concept| concept.mentions(&self.liquid_words))
            || std::iter::once(&observation.code).chain(&observation.reports).any(is_liquid_test)
    }
}

/// Whether a concept names a change of the set, with or without a reference sequence before it.
fn names_change(changes: &Codes, concept: &Concept) -> bool {
    concept.codings.iter().any(|coding| {
        let bare = coding.code.rsplit(':').next().unwrap_or_default();
        changes.contains(coding) || changes.contains(&Coding::new(coding.system.clone(), bare))
    })
}

/// What the components of an Observation say together.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own about the parts")]
struct Parts {
    /// The gene is among those that are named.
    gene: bool,
    /// It may be among them: it is named in words.
    gene_in_words: bool,
    /// The genome is the inherited one.
    inherited: bool,
    /// Words say whether it is: nobody reads them.
    origin_in_words: bool,
    /// A change that is named.
    change: Option<Word>,
    /// Calls that stand at a change.
    calls: Vec<Word>,
}
