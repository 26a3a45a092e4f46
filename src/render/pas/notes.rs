//! The process notes of one answer, numbered as they come.

use crate::fhir::write::r4::resources::ClaimResponseProcessNote;
use crate::fhir::write::r4::types::PositiveInt;
use crate::render::words;

/// Notes so far: the same words are one note, however many lines they belong to.
#[derive(Debug, Default)]
pub(super) struct Notes {
    texts: Vec<String>,
}

impl Notes {
    /// The number of the note that says `text`, which is put in if it is new.
    /// A text without any words has no number.
    pub(super) fn number(&mut self, text: &str) -> Option<PositiveInt> {
        let text = words::plain(text);
        if text.is_empty() {
            return None;
        }
        let place = self.texts.iter().position(|known| *known == text).unwrap_or_else(|| {
            self.texts.push(text);
            self.texts.len() - 1
        });
        u32::try_from(place + 1).ok().map(Into::into)
    }

    // PAS 2.2.1 processNote: number 1..1, text 1..1
    pub(super) fn into_process_notes(self) -> Vec<ClaimResponseProcessNote> {
        (1_u32..)
            .zip(self.texts)
            .map(|(number, text)| ClaimResponseProcessNote {
                number: Some(number.into()),
                r#type: Some("display".into()),
                text: text.into(),
                ..ClaimResponseProcessNote::default()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_one_note_and_no_words_are_none() {
        let mut notes = Notes::default();
        assert_eq!(notes.number("a").unwrap().value, Some(1));
        assert_eq!(notes.number("b").unwrap().value, Some(2));
        assert_eq!(notes.number(" a\n").unwrap().value, Some(1));
        assert!(notes.number(" ").is_none());
        assert_eq!(notes.into_process_notes().len(), 2);
    }
}
