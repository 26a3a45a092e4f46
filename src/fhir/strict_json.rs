//! One strict walk over JSON text: a borrowed tree, or every fault with its place.
//!
//! Nothing is lost: a node knows the bytes that it was read from, so a resource can be sent back
//! as it came.
//! Nothing is guessed: a number stays text, and a member that stands twice is a fault.
//! Bounded: depth, node count and the number of faults that are collected.

mod fault;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;
use std::ops::Range;

pub use fault::{Fault, FaultKind};
use walk::{RawFault, Stop, Walk};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;
/// How many faults are collected before the walk stops.
pub const MAX_FAULTS: usize = 50;
/// How many values one document may hold.
pub const MAX_NODES: usize = 4_000_000;
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
        let mut walk = Walk::over(text, rules);
        let outcome = walk.document();
        let (items, mut faults) = walk.into_parts();
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
    let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
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
        let document = self.document;
        let mut members = document.children(self.index).map(|index| Node { document, index });
        members.find(|member| member.is_named(name)).filter(Node::is_there)
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
        let item = self.item();
        let name = self.document.slice(item.name);
        if item.escaped { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) }
    }

    /// As a comparison with [`Node::name`]; nearly every look at a member that is not the one ends
    /// with the lengths.
    fn is_named(self, name: &str) -> bool {
        match self.document.item(self.index) {
            None => false,
            Some(item) if item.escaped => self.name() == name,
            Some(item) => {
                let (start, end) = item.name;
                (end - start) as usize == name.len() && self.document.slice(item.name) == name
            }
        }
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
