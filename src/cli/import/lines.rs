//! The lines of a file, one at a time and never longer than the limit.

use std::io::{self, BufRead};

/// The longest line that is read, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, and whether a line break ends it.
    Bytes(Vec<u8>, bool),
    /// It is longer than the limit, and was passed over.
    TooLong,
}

/// Reads lines; a line that is too long costs no more memory than the limit.
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
    most: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn of(reader: R) -> Lines<R> {
        Lines { reader, number: 0, most: MAX_LINE_BYTES }
    }

    /// The next line and its number, from 1.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut bytes = Vec::new();
        let (mut is_there, mut is_too_long, mut ended) = (false, false, false);
        while !ended {
            let there = self.reader.fill_buf()?;
            if there.is_empty() {
                break;
            }
            let (part, taken) = match there.iter().position(|byte| *byte == b'\n') {
                Some(end) => (there.get(..end).unwrap_or_default(), end + 1),
                None => (there, there.len()),
            };
            ended = taken > part.len();
            is_there = true;
            is_too_long |= bytes.len() + part.len() > self.most;
            if is_too_long {
                bytes = Vec::new();
            } else {
                bytes.extend_from_slice(part);
            }
            self.reader.consume(taken);
        }
        if !is_there {
            return Ok(None);
        }
        self.number += 1;
        if is_too_long {
            return Ok(Some((self.number, Line::TooLong)));
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if self.number == 1 && bytes.starts_with("\u{feff}".as_bytes()) {
            bytes.drain(.."\u{feff}".len());
        }
        Ok(Some((self.number, Line::Bytes(bytes, ended))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(u64, Line)]) {
        // A buffer of three bytes, so that lines come in parts.
        let reader = io::BufReader::with_capacity(3, text.as_bytes());
        let mut lines = Lines { most: 8, ..Lines::of(reader) };
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(line);
        }
        assert_eq!(found, expected, "{text:?}");
    }

    fn whole(text: &str) -> Line {
        Line::Bytes(text.into(), true)
    }

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        check("", &[]);
        check(
            "a\n\r\nbc",
            &[(1, whole("a")), (2, whole("")), (3, Line::Bytes("bc".into(), false))],
        );
        check("\u{feff}a\r\n", &[(1, whole("a"))]);
    }

    #[test]
    fn a_line_above_the_limit_is_passed_over_and_the_next_is_read() {
        check(
            "12345678\n123456789\n1\n",
            &[(1, whole("12345678")), (2, Line::TooLong), (3, whole("1"))],
        );
        check("123456789", &[(1, Line::TooLong)]);
    }
}
