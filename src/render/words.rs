//! Words that came from outside, made safe for where they go.
//!
//! Names, displays and free text of a record can hold anything.
//! Here they become one line of plain text, or markdown that shows them and does nothing.

/// How much of one foreign text is shown, in characters.
const MOST: usize = 400;

/// One line of plain text: control characters and line breaks become single spaces.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || is_odd(c)).filter(|it| !it.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    plain
}

/// Control characters, and those that turn the direction of writing around.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || c == '\u{feff}'
}

/// [`plain`], cut to fewer than `limit` characters, with a sign that it was cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    let text = plain(text);
    if text.chars().count() < limit {
        return text;
    }
    let mut short: String = text.chars().take(limit.saturating_sub(2)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Markdown that shows `text` as it is: no mark-up, no HTML, no link, one line.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = cut(text, MOST);
    let mut safe = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // GitHub's markdown makes links of bare addresses.
            '@' => safe.push_str("&#64;"),
            ':' if text.get(at + 1..).is_some_and(|rest| rest.starts_with("//")) => {
                safe.push_str("&#58;");
            }
            '.' if text.get(..at).is_some_and(ends_in_www) => safe.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            // What begins a list or a heading at the start of a line.
            '-' | '+' | '=' | '#' if at == 0 => {
                safe.push('\\');
                safe.push(c);
            }
            '.' | ')' if at > 0 && text.get(..at).is_some_and(is_number) => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(c),
        }
    }
    safe
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn ends_in_www(text: &str) -> bool {
    text.len() >= 3 && text.get(text.len() - 3..).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_mark_up_and_links_do_nothing() {
        let text =
            "<img src=x onerror=alert(1)> [a](http://evil.test) **b** `c` www.evil.test\n# d";
        let safe = markdown(text);
        for live in ["<", "[a](", "**", "://", "www.", "\n"] {
            assert!(!safe.contains(live), "{live} in {safe}");
        }
        assert!(safe.contains("\\*\\*b\\*\\*"));
        for (start, shown) in
            [("# a", "\\# a"), ("- a", "\\- a"), ("1. a", "1\\. a"), ("2) a", "2\\) a")]
        {
            assert_eq!(markdown(start), shown);
        }
    }

    #[test]
    fn ordinary_words_stay_as_they_are() {
        let words = "Stage IV melanoma (AJCC 8), BRAF V600E, 1.5 mg, 2026-03-01; O’Neill";
        assert_eq!(markdown(words), words);
        assert_eq!(plain(words), words);
    }

    #[test]
    fn a_text_is_cut_below_the_limit_and_never_at_it() {
        let long = "x".repeat(140);
        assert_eq!(cut(&long, 140).chars().count(), 139);
        assert_eq!(cut(&long[..139], 140), long[..139]);
    }

    #[test]
    fn direction_marks_and_controls_are_gone() {
        assert_eq!(plain("a\u{202e}b\u{0}\r\n c"), "a b c");
    }
}
