//! The walk itself: one loop over the text, without recursion.

use std::collections::HashSet;

use super::{FaultKind, Item, Kind, MAX_DEPTH, MAX_FAULTS, MAX_NODES, NONE, Rules, unescape};

/// Objects with more members than this are checked for repeats through a hash set.
const FEW_MEMBERS: usize = 24;

/// Why the walk cannot go on.
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) parent: u32,
    pub(super) text: &'static str,
}

pub(super) struct RawFault {
    pub(super) kind: FaultKind,
    pub(super) node: u32,
    pub(super) text: String,
}

pub(super) struct Walk<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    rules: Rules,
    items: Vec<Item>,
    faults: Vec<RawFault>,
    /// Scratch for objects with many members.
    names: HashSet<&'t str>,
}

/// An array or object that is still open.
struct Open {
    node: u32,
    last_child: u32,
    children: u32,
    is_object: bool,
}

impl<'t> Walk<'t> {
    pub(super) fn over(text: &'t str, rules: Rules) -> Walk<'t> {
        Walk {
            text,
            bytes: text.as_bytes(),
            at: 0,
            rules,
            items: Vec::with_capacity(text.len() / 24),
            faults: Vec::new(),
            names: HashSet::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Item>, Vec<RawFault>) {
        (self.items, self.faults)
    }

    pub(super) fn document(&mut self) -> Result<(), Stop> {
        self.white_space();
        let mut open: Vec<Open> = Vec::new();
        // One turn of this loop reads one value, and closes what ends behind it.
        loop {
            let parent = open.last().map_or(NONE, |open| open.node);
            let name = match open.last() {
                Some(open) if open.is_object => self.member_name(parent)?,
                _ => ((0, 0), false),
            };
            let node = self.value(parent, name, &mut open)?;
            let opened = open.last().is_some_and(|open| open.node == node);
            if opened && !self.closes_at_once(&mut open)? {
                continue;
            }
            if !self.behind_value(&mut open)? {
                break;
            }
        }
        self.white_space();
        if self.at < self.bytes.len() {
            return Err(self.stop(NONE, "there is text behind the end of the document"));
        }
        Ok(())
    }

    fn stop(&self, parent: u32, text: &'static str) -> Stop {
        Stop { at: self.at, parent, text }
    }

    fn fault(&mut self, kind: FaultKind, node: u32, text: &str) -> Result<(), Stop> {
        if self.faults.len() + 1 >= MAX_FAULTS {
            return Err(self.stop(node, "there are more faults than are listed"));
        }
        self.faults.push(RawFault { kind, node, text: text.to_owned() });
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads one value (of an array or object only its opening) and puts it under its parent.
    fn value(
        &mut self,
        parent: u32,
        (name, name_escaped): ((u32, u32), bool),
        open: &mut Vec<Open>,
    ) -> Result<u32, Stop> {
        if self.items.len() >= MAX_NODES {
            return Err(self.stop(parent, "the document holds too many values"));
        }
        let start = self.at;
        let node = u32::try_from(self.items.len()).unwrap_or(NONE);
        let (kind, escaped) = match self.peek() {
            Some(b'{') => (Kind::Object, false),
            Some(b'[') => (Kind::Array, false),
            Some(b'"') => (Kind::Text, self.string(parent)?),
            Some(b't') => (Kind::Bool, self.literal("true", parent)?),
            Some(b'f') => (Kind::Bool, self.literal("false", parent)?),
            Some(b'n') => (Kind::Null, self.literal("null", parent)?),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.number(parent)?),
            Some(_) => return Err(self.stop(parent, "a JSON value is expected")),
            None => return Err(self.stop(parent, "the text ends in the middle")),
        };
        let in_array = open.last().is_some_and(|open| !open.is_object);
        let ordinal = open.last().map_or(0, |open| open.children);
        self.items.push(Item {
            kind,
            start: offset(start),
            end: offset(self.at),
            name,
            parent,
            first_child: NONE,
            next_sibling: NONE,
            ordinal,
            escaped: escaped || name_escaped,
        });
        if let Some(parent) = open.last_mut() {
            let before = parent.last_child;
            let slot = if before == NONE { parent.node } else { before };
            if let Some(item) = self.items.get_mut(slot as usize) {
                if before == NONE {
                    item.first_child = node;
                } else {
                    item.next_sibling = node;
                }
            }
            parent.last_child = node;
            parent.children += 1;
        }
        if self.rules == Rules::Fhir {
            match kind {
                Kind::Text if self.at - start == 2 => {
                    self.fault(FaultKind::Structure, node, "an empty string is not allowed")?;
                }
                Kind::Null if !in_array => {
                    self.fault(FaultKind::Structure, node, "`null` is allowed only in an array")?;
                }
                _ => {}
            }
        }
        if matches!(kind, Kind::Object | Kind::Array) {
            if open.len() >= MAX_DEPTH {
                return Err(self.stop(parent, "arrays and objects are nested too deeply"));
            }
            self.at += 1;
            self.white_space();
            open.push(Open {
                node,
                last_child: NONE,
                children: 0,
                is_object: kind == Kind::Object,
            });
        }
        Ok(node)
    }

    /// Whether the array or object that was just opened is empty; closes it then.
    fn closes_at_once(&mut self, open: &mut Vec<Open>) -> Result<bool, Stop> {
        let Some(current) = open.last() else { return Ok(false) };
        let closing = if current.is_object { b'}' } else { b']' };
        if self.peek() != Some(closing) {
            return Ok(false);
        }
        let node = current.node;
        if self.rules == Rules::Fhir {
            let what = if current.is_object {
                "an empty object is not allowed"
            } else {
                "an empty array is not allowed"
            };
            self.fault(FaultKind::Structure, node, what)?;
        }
        self.close(open);
        Ok(true)
    }

    fn close(&mut self, open: &mut Vec<Open>) {
        self.at += 1;
        if let Some(closed) = open.pop()
            && let Some(item) = self.items.get_mut(closed.node as usize)
        {
            item.end = offset(self.at);
        }
    }

    /// Reads what follows a value. `false`: the document is at its end.
    fn behind_value(&mut self, open: &mut Vec<Open>) -> Result<bool, Stop> {
        loop {
            let Some(current) = open.last() else { return Ok(false) };
            let (node, is_object) = (current.node, current.is_object);
            self.white_space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.white_space();
                    return Ok(true);
                }
                Some(b'}') if is_object => {
                    self.repeated_names(node)?;
                    self.close(open);
                }
                Some(b']') if !is_object => self.close(open),
                Some(_) => {
                    return Err(self.stop(node, "a comma or a closing bracket is expected"));
                }
                None => return Err(self.stop(node, "the text ends in the middle")),
            }
        }
    }

    fn member_name(&mut self, parent: u32) -> Result<((u32, u32), bool), Stop> {
        if self.peek() != Some(b'"') {
            return Err(self.stop(parent, "a member name in quotes is expected"));
        }
        let start = self.at + 1;
        let escaped = self.string(parent)?;
        let name = (offset(start), offset(self.at - 1));
        self.white_space();
        if self.peek() != Some(b':') {
            return Err(self.stop(parent, "a colon is expected"));
        }
        self.at += 1;
        self.white_space();
        Ok((name, escaped))
    }

    /// Says which member of the object that ends here stands twice.
    fn repeated_names(&mut self, node: u32) -> Result<(), Stop> {
        let first = self.items.get(node as usize).map_or(NONE, |item| item.first_child);
        let mut repeated = None;
        let mut count = 0;
        let mut escaped = false;
        let mut current = first;
        while let Some(item) = self.items.get(current as usize) {
            let name = self.name(item);
            escaped |= name.contains('\\');
            if count < FEW_MEMBERS {
                let mut earlier = first;
                while earlier != current {
                    let Some(other) = self.items.get(earlier as usize) else { break };
                    if self.name(other) == name {
                        repeated = repeated.or(Some(current));
                    }
                    earlier = other.next_sibling;
                }
            }
            count += 1;
            current = item.next_sibling;
        }
        if escaped {
            repeated = repeated.or_else(|| self.repeated_unescaped(first));
        } else if count > FEW_MEMBERS {
            repeated = repeated.or_else(|| self.repeated_among_many(first));
        }
        match repeated {
            Some(member) => self.fault(FaultKind::Duplicate, member, "the member stands twice"),
            None => Ok(()),
        }
    }

    fn name(&self, item: &Item) -> &'t str {
        self.text.get(item.name.0 as usize..item.name.1 as usize).unwrap_or_default()
    }

    fn repeated_among_many(&mut self, first: u32) -> Option<u32> {
        self.names.clear();
        let mut current = first;
        while let Some(item) = self.items.get(current as usize) {
            let name = self.name(item);
            if !self.names.insert(name) {
                return Some(current);
            }
            current = item.next_sibling;
        }
        None
    }

    /// `"\u0069d"` is `"id"`: where names hold escapes they are compared without them.
    fn repeated_unescaped(&self, first: u32) -> Option<u32> {
        let mut names = HashSet::new();
        let mut current = first;
        while let Some(item) = self.items.get(current as usize) {
            if !names.insert(unescape(self.name(item))) {
                return Some(current);
            }
            current = item.next_sibling;
        }
        None
    }

    /// Reads a string; `true`: it holds an escape.
    fn string(&mut self, parent: u32) -> Result<bool, Stop> {
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape(parent)?;
                }
                Some(byte) if byte < 0x20 => {
                    return Err(self.stop(parent, "a control character stands in a string"));
                }
                Some(_) => self.at += 1,
                None => return Err(self.stop(parent, "the text ends in a string")),
            }
        }
    }

    fn escape(&mut self, parent: u32) -> Result<(), Stop> {
        let wrong = |walk: &Walk<'t>| walk.stop(parent, "an escape in a string is wrong");
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.unicode_unit(self.at).ok_or_else(|| wrong(self))?;
                let width = match unit {
                    // A high surrogate needs its low one behind it; a low one cannot stand alone.
                    0xD800..=0xDBFF => {
                        let low = self.unicode_unit(self.at + 6).ok_or_else(|| wrong(self))?;
                        if !(0xDC00..=0xDFFF).contains(&low) {
                            return Err(wrong(self));
                        }
                        12
                    }
                    0xDC00..=0xDFFF => return Err(wrong(self)),
                    _ => 6,
                };
                self.at += width;
                Ok(())
            }
            _ => Err(wrong(self)),
        }
    }

    fn unicode_unit(&self, at: usize) -> Option<u32> {
        let unit = self.bytes.get(at..at + 6)?;
        let digits = std::str::from_utf8(unit.strip_prefix(b"\\u")?).ok()?;
        let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    fn literal(&mut self, word: &str, parent: u32) -> Result<bool, Stop> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(false)
        } else {
            Err(self.stop(parent, "a JSON value is expected"))
        }
    }

    fn number(&mut self, parent: u32) -> Result<bool, Stop> {
        let wrong = |walk: &Walk<'t>| walk.stop(parent, "a number is written wrongly");
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(wrong(self)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(wrong(self));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(wrong(self));
            }
            self.digits();
        }
        Ok(false)
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }
}

/// Offsets fit: the length was checked before the walk.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
