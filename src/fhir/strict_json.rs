//! One strict walk over JSON text: a borrowed tree, or every fault with its place.
//!
//! Nothing is lost: a node knows the bytes that it was read from, so a resource can be sent back
//! as it came.
//! Nothing is guessed: a number stays text, and a member that stands twice is a fault.
//! Bounded: depth, node count and the number of faults that are collected.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;
/// How many faults are collected before the walk stops.
pub const MAX_FAULTS: usize = 50;
/// How many values one document may hold.
pub const MAX_NODES: usize = 4_000_000;
/// Objects with more members than this are checked for repeats through a hash set.
const FEW_MEMBERS: usize = 24;
const NONE: u32 = u32::MAX;

/// Which rules beyond JSON's own hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// FHIR's: no empty array, object or string, `null` only as a place holder in an array.
    Fhir,
    /// JSON's alone, as CDS Hooks clients need it: empty values and `null` are read as absent.
    Lenient,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    Text,
    /// A number, kept as text.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// What is wrong with a document, as an OperationOutcome issue needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// Where, as a FHIRPath such as `Bundle.entry[3].resource.name[0]`.
    pub place: String,
    /// What is wrong there, without any value out of the document.
    pub text: String,
}

/// FHIR's issue types, as far as we use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text is not JSON, or not shaped as FHIR asks.
    Structure,
    /// A value is not allowed where it stands.
    Value,
    /// An element that must be there is not.
    Required,
    /// A rule between elements is broken.
    Invariant,
    /// The same thing twice.
    Duplicate,
    /// A reference leads nowhere.
    NotFound,
    /// A limit of this server.
    TooLong,
    /// Something that this server does not do.
    NotSupported,
}

impl FaultKind {
    /// The code in `http://hl7.org/fhir/issue-type`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            FaultKind::Structure => "structure",
            FaultKind::Value => "value",
            FaultKind::Required => "required",
            FaultKind::Invariant => "invariant",
            FaultKind::Duplicate => "duplicate",
            FaultKind::NotFound => "not-found",
            FaultKind::TooLong => "too-long",
            FaultKind::NotSupported => "not-supported",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Item {
    kind: Kind,
    /// The value's bytes.
    start: u32,
    end: u32,
    /// The member's name without its quotes, where the parent is an object.
    name: (u32, u32),
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    /// The place among the parent's children.
    ordinal: u32,
    /// Whether the text or the name holds an escape.
    escaped: bool,
}

/// JSON text that passed the walk.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    items: Vec<Item>,
}

impl<'t> Document<'t> {
    /// Walks `bytes` once.
    ///
    /// # Errors
    /// Every fault that was found, at least one and at most [`MAX_FAULTS`]; a text that is not
    /// JSON ends the walk where it stops being JSON.
    pub fn parse(bytes: &'t [u8], rules: Rules) -> Result<Document<'t>, Vec<Fault>> {
        let structure =
            |text: String| vec![Fault { kind: FaultKind::Structure, place: "$this".into(), text }];
        let text = std::str::from_utf8(bytes).map_err(|error| {
            structure(format!("the text is not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        if u32::try_from(text.len()).is_err() {
            return Err(structure("the text is longer than 4 GiB".into()));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut walk = Walk {
            text,
            bytes: text.as_bytes(),
            at: 0,
            rules,
            items: Vec::with_capacity(text.len() / 24),
            faults: Vec::new(),
            names: HashSet::new(),
        };
        let outcome = walk.document();
        let Walk { items, mut faults, .. } = walk;
        let document = Document { text, items };
        if let Err(Stop { at, parent, text: message }) = outcome {
            let (line, column) = line_and_column(text, at);
            faults.push(RawFault {
                kind: FaultKind::Structure,
                node: parent,
                text: format!("{message} (line {line}, column {column})"),
            });
        }
        if faults.is_empty() {
            return Ok(document);
        }
        Err(faults
            .into_iter()
            .map(|fault| Fault {
                kind: fault.kind,
                place: document.place(fault.node),
                text: fault.text,
            })
            .collect())
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { document: self, index: 0 }
    }

    fn item(&self, index: u32) -> Option<&Item> {
        self.items.get(index as usize)
    }

    fn slice(&self, range: (u32, u32)) -> &'t str {
        self.text.get(range.0 as usize..range.1 as usize).unwrap_or_default()
    }

    fn children(&self, index: u32) -> Children<'_> {
        let next = self.item(index).map_or(NONE, |item| item.first_child);
        Children { document: self, next }
    }

    /// The FHIRPath of a node: the root's resource type, then member names and array indices.
    fn place(&self, index: u32) -> String {
        let mut steps = Vec::new();
        let mut current = index;
        while let Some(item) = self.item(current) {
            let Some(parent) = self.item(item.parent) else { break };
            if parent.kind == Kind::Object {
                steps.push(format!(".{}", self.slice(item.name)));
            } else {
                steps.push(format!("[{}]", item.ordinal));
            }
            current = item.parent;
        }
        let root = self.root();
        let resource_type = root.get("resourceType").and_then(Node::text);
        let mut place = resource_type
            .filter(|name| is_type_name(name))
            .map_or_else(|| "$this".to_owned(), Cow::into_owned);
        place.extend(steps.into_iter().rev());
        place
    }
}

fn is_type_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

/// One value in a document: a cheap handle.
///
/// Every reading method answers `None` (or nothing) where the value is of another kind, so that
/// reading never fails; whether a shape is right is asked separately.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document<'d>,
    index: u32,
}

impl std::fmt::Debug for Node<'_> {
    /// The place and never the content, which may be about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.place())
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.index == other.index
    }
}

impl<'d> Node<'d> {
    fn item(self) -> Item {
        self.document.item(self.index).copied().unwrap_or(Item {
            kind: Kind::Null,
            start: 0,
            end: 0,
            name: (0, 0),
            parent: NONE,
            first_child: NONE,
            next_sibling: NONE,
            ordinal: 0,
            escaped: false,
        })
    }

    /// What the value is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.item().kind
    }

    /// The member of this name, if the value is an object that has it and it is not `null`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Node<'d>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.members().find(|(known, _)| known == name).map(|(_, node)| node).filter(Node::is_there)
    }

    /// The first member among `names` that is there, with its name: for FHIR's choice types.
    #[must_use]
    pub fn get_any(self, names: &[&'static str]) -> Option<(&'static str, Node<'d>)> {
        names.iter().find_map(|name| self.get(name).map(|node| (*name, node)))
    }

    /// Follows member names downwards.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Option<Node<'d>> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    fn is_there(&self) -> bool {
        self.kind() != Kind::Null
    }

    /// The members of an object, in the order of the text; of anything else, none.
    pub fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Node<'d>)> {
        let document = self.document;
        let is_object = self.kind() == Kind::Object;
        document.children(self.index).filter(move |_| is_object).map(move |index| {
            let node = Node { document, index };
            (node.name(), node)
        })
    }

    /// The elements of an array; of a `null`, none; of anything else, the value itself, since
    /// clients now and then leave out the brackets around a single element.
    pub fn items(self) -> impl Iterator<Item = Node<'d>> {
        let document = self.document;
        let kind = self.kind();
        let own = (kind != Kind::Array && kind != Kind::Null).then_some(self);
        let inner = (kind == Kind::Array).then(|| document.children(self.index));
        own.into_iter()
            .chain(inner.into_iter().flatten().map(move |index| Node { document, index }))
    }

    /// The elements of the member `name`, as [`Node::items`].
    pub fn each(self, name: &str) -> impl Iterator<Item = Node<'d>> {
        self.get(name).into_iter().flat_map(Node::items)
    }

    fn name(self) -> Cow<'d, str> {
        let name = self.document.slice(self.item().name);
        if name.contains('\\') { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) }
    }

    /// A string's content; `None` of another kind and of the empty string.
    #[must_use]
    pub fn text(self) -> Option<Cow<'d, str>> {
        let item = self.item();
        if item.kind != Kind::Text {
            return None;
        }
        let inner = self.document.slice((item.start + 1, item.end - 1));
        if inner.is_empty() {
            return None;
        }
        Some(if item.escaped { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// The content of the string member `name`.
    #[must_use]
    pub fn text_of(self, name: &str) -> Option<Cow<'d, str>> {
        self.get(name).and_then(Node::text)
    }

    /// A boolean's value.
    #[must_use]
    pub fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// A number's text, as it was written.
    #[must_use]
    pub fn number(self) -> Option<&'d str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// The text that the value was read from.
    #[must_use]
    pub fn raw(self) -> &'d str {
        let item = self.item();
        self.document.slice((item.start, item.end))
    }

    /// Where [`Node::raw`] stands in the whole text.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let item = self.item();
        item.start as usize..item.end as usize
    }

    /// The FHIRPath of the value, from the outermost resource.
    #[must_use]
    pub fn place(self) -> String {
        self.document.place(self.index)
    }

    /// The FHIRPath of the value within `resource`, which holds it: `Claim.item[0].quantity`.
    #[must_use]
    pub fn place_in(self, resource: Node<'_>) -> String {
        let whole = self.place();
        let outer = resource.place();
        let inner = whole.strip_prefix(&outer).unwrap_or(&whole);
        let name = resource.text_of("resourceType").unwrap_or(Cow::Borrowed("$this"));
        format!("{name}{inner}")
    }
}

struct Children<'d> {
    document: &'d Document<'d>,
    next: u32,
}

impl Iterator for Children<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let index = self.next;
        let item = self.document.item(index)?;
        self.next = item.next_sibling;
        Some(index)
    }
}

/// Undoes JSON's escapes in text that passed the walk.
fn unescape(inner: &str) -> String {
    let quoted = format!("\"{inner}\"");
    serde_json::from_str(&quoted).unwrap_or_default()
}

/// Why the walk cannot go on.
struct Stop {
    at: usize,
    parent: u32,
    text: &'static str,
}

struct RawFault {
    kind: FaultKind,
    node: u32,
    text: String,
}

struct Walk<'t> {
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
    fn document(&mut self) -> Result<(), Stop> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_fault(text: &str, kind: FaultKind, place: &str) {
        let faults = Document::parse(text.as_bytes(), Rules::Fhir).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.place.as_str())).collect();
        assert!(found.contains(&(kind, place)), "{found:?}");
    }

    #[test]
    fn what_fhir_forbids_is_named_with_its_place() {
        use FaultKind::{Duplicate, Structure};
        check_fault(r#"{"resourceType":"Patient","name":[]}"#, Structure, "Patient.name");
        check_fault(r#"{"resourceType":"Patient","name":[{}]}"#, Structure, "Patient.name[0]");
        check_fault(
            r#"{"name":[{"family":""}],"resourceType":"P"}"#,
            Structure,
            "P.name[0].family",
        );
        check_fault(r#"{"resourceType":"P","active":null}"#, Structure, "P.active");
        check_fault(r#"{"resourceType":"P","id":"a","id":"b"}"#, Duplicate, "P.id");
        check_fault(r#"{"resourceType":"P","id":"a","\u0069d":"b"}"#, Duplicate, "P.\\u0069d");
    }

    #[test]
    fn what_is_no_json_stops_the_walk() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":}",
            "{\"a\" 1}",
            "nul",
            "01",
            "1.",
            "1e",
            "-",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "{} {}",
            "{}x",
            "[1 2]",
            "{a:1}",
            "\u{1}",
            "'a'",
        ] {
            let faults = Document::parse(text.as_bytes(), Rules::Lenient).unwrap_err();
            assert_eq!(faults.len(), 1, "{text}");
        }
        assert!(Document::parse(b"\"\xff\"", Rules::Lenient).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let brackets = "[".repeat(100_000);
        let faults = Document::parse(brackets.as_bytes(), Rules::Fhir).unwrap_err();
        assert!(faults[0].text.contains("nested too deeply"), "{faults:?}");
    }

    #[test]
    fn many_members_are_checked_for_repeats_too() {
        let members: Vec<String> = (0..1000).map(|n| format!("\"m{n}\":1")).collect();
        let good = format!("{{{}}}", members.join(","));
        assert!(Document::parse(good.as_bytes(), Rules::Fhir).is_ok());
        let bad = format!("{{{},\"m999\":2}}", members.join(","));
        assert!(Document::parse(bad.as_bytes(), Rules::Fhir).is_err());
    }

    #[test]
    fn faults_are_bounded() {
        let many = format!("[{}]", vec!["\"\""; 10_000].join(","));
        let faults = Document::parse(many.as_bytes(), Rules::Fhir).unwrap_err();
        assert_eq!(faults.len(), MAX_FAULTS);
    }

    #[test]
    fn a_node_reads_and_gives_back_its_own_text() {
        let text =
            r#"{"resourceType":"Bundle","entry":[null,{"n":1.50,"t":"a\u00e9\/","b":true}]}"#;
        let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
        let entry = document.root().each("entry").nth(1).unwrap();
        assert_eq!(entry.get("n").unwrap().number(), Some("1.50"));
        assert_eq!(entry.text_of("t").unwrap(), "aé/");
        assert_eq!(entry.get("b").unwrap().boolean(), Some(true));
        assert_eq!(entry.raw(), r#"{"n":1.50,"t":"a\u00e9\/","b":true}"#);
        assert_eq!(entry.get("t").unwrap().place(), "Bundle.entry[1].t");
        assert!(entry.get("missing").is_none());
    }

    #[test]
    fn leniency_reads_empty_values_as_absent() {
        let document =
            Document::parse(br#"{"a":"","b":null,"c":[],"d":{}}"#, Rules::Lenient).unwrap();
        let root = document.root();
        assert!(root.text_of("a").is_none());
        assert!(root.get("b").is_none());
        assert_eq!(root.each("c").count(), 0);
        assert_eq!(root.get("d").unwrap().members().count(), 0);
    }
}
