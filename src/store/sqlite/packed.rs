//! Large bodies, packed: a FHIR body takes about a fifth of its length.
//!
//! The column that held the text stands beside the packed one. Rows of older releases have the
//! text; new rows have the packed bytes, and an empty text.

use lz4_flex::block;
use rusqlite::Row;

use super::row::{self, unreadable};
use crate::store::error::Fault;

/// No LZ4 block unpacks to more than this many times its length, and a few bytes.
const MOST_GROWTH: usize = 255;

/// Packs a text for the packed column.
pub(super) fn pack(text: &str) -> Vec<u8> {
    block::compress_prepend_size(text.as_bytes())
}

/// The text of a row, from whichever of its two columns holds it.
pub(super) fn text(
    row: &Row<'_>,
    column: &'static str,
    packed: &'static str,
) -> Result<String, Fault> {
    match maybe_text(row, packed)? {
        None => row::text(row, column),
        Some(text) => Ok(text),
    }
}

/// The text of a packed column that may be empty.
pub(super) fn maybe_text(row: &Row<'_>, packed: &'static str) -> Result<Option<String>, Fault> {
    let bytes = row.get_ref(packed)?.as_blob_or_null().map_err(unreadable(packed))?;
    bytes.map(|bytes| unpack(bytes).ok_or(()).map_err(unreadable(packed))).transpose()
}

fn unpack(bytes: &[u8]) -> Option<String> {
    let (length, packed) = block::uncompressed_size(bytes).ok()?;
    if length / MOST_GROWTH > packed.len() {
        return None;
    }
    String::from_utf8(block::decompress(packed, length).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_shorter_and_unpacks_to_the_same_bytes() {
        let body = std::fs::read_to_string("fixtures/pas/approve-all-met/request.json").unwrap();
        let packed = pack(&body);
        assert!(packed.len() * 4 < body.len(), "{} of {}", packed.len(), body.len());
        for text in [&body, "", "\u{e9}\u{1f600}", &" ".repeat(1_000_000)] {
            assert_eq!(unpack(&pack(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn damaged_bytes_are_unreadable_and_claim_no_memory() {
        let packed = pack(&"0123456789".repeat(100));
        assert_eq!(unpack(&packed[..packed.len() - 1]), None);
        assert_eq!(unpack(&packed[..3]), None);
        let huge = [&u32::MAX.to_le_bytes(), &packed[4..]].concat();
        assert_eq!(unpack(&huge), None);
    }
}
