//! One walker that holds a resource against the JSON forms of the elements that we read.
//!
//! Elements that the table does not list are not looked at, whatever they hold.
//! The forms themselves are in [`elements`](super::elements).

use super::elements::{self, EXTENSION, RESOURCE};
use crate::fhir::{FaultKind, Kind, Node};
use crate::intake::faults::Faults;
use crate::terms::{Truth, When};

/// The largest `positiveInt` of FHIR.
const MAX_POSITIVE_INT: u32 = 2_147_483_647;

/// The form of one value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// A string.
    Text,
    /// A string that is not blank.
    Code,
    /// A year, month or day that exists, without a time.
    Date,
    /// A date, or a day with a time.
    DateTime,
    /// A day with a time and a zone.
    Instant,
    /// `true` or `false`.
    Boolean,
    /// Any number.
    Number,
    /// A whole number from 1 on.
    PositiveInt,
    /// An object with these elements.
    Object(&'static [Group]),
    /// An object with a start that is not after its end.
    Period(&'static [Group]),
}

/// Elements of one form.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) form: Form,
    /// Whether they repeat, and so stand in an array.
    pub(super) is_many: bool,
    pub(super) names: &'static [&'static str],
}

/// Elements that stand once.
pub(super) const fn one(form: Form, names: &'static [&'static str]) -> Group {
    Group { form, is_many: false, names }
}

/// Elements that repeat.
pub(super) const fn many(form: Form, names: &'static [&'static str]) -> Group {
    Group { form, is_many: true, names }
}

/// What every object may have.
static EXTENSIONS: &[Group] = &[many(Form::Object(EXTENSION), &["extension", "modifierExtension"])];

/// Holds a resource against the forms of its type; of one that we do not read, only its frame.
pub(super) fn check_resource(resource: Node<'_>, kind: &str, faults: &mut Faults) {
    match elements::of_type(kind) {
        Some(groups) => check_members(resource, &[groups, RESOURCE, EXTENSIONS], faults),
        None => check_members(resource, &[RESOURCE], faults),
    }
}

/// Holds an object against `groups`, and what is below it against theirs.
///
/// The depth is that of the document, which is bounded.
pub(super) fn check(object: Node<'_>, groups: &'static [Group], faults: &mut Faults) {
    check_members(object, &[groups, EXTENSIONS], faults);
}

fn check_members(object: Node<'_>, lists: &[&'static [Group]], faults: &mut Faults) {
    for (name, value) in object.members() {
        let mut groups = lists.iter().copied().flatten();
        let Some(group) = groups.find(|group| group.names.contains(&&*name)) else { continue };
        if value.kind() == Kind::Null {
            continue;
        }
        if !group.is_many {
            check_value(value, group.form, faults);
        } else if value.kind() == Kind::Array {
            // In an array of primitives `null` keeps the place of one that has only extensions.
            let is_held = |item: &Node<'_>| item.kind() != Kind::Null || group.form.is_object();
            value.items().filter(is_held).for_each(|item| check_value(item, group.form, faults));
        } else {
            faults.add(FaultKind::Structure, value, "an array is expected");
        }
    }
}

fn check_value(value: Node<'_>, form: Form, faults: &mut Faults) {
    let (kind, expected) = form.json();
    if value.kind() != kind {
        faults.add(FaultKind::Structure, value, format!("{expected} is expected"));
        return;
    }
    let mut expect = |is_good: bool, expected: &str| {
        if !is_good {
            faults.add(FaultKind::Value, value, format!("{expected} is expected"));
        }
    };
    match form {
        Form::Text | Form::Boolean | Form::Number => {}
        Form::Code => {
            let is_blank = value.text().is_none_or(|text| text.trim().is_empty());
            expect(!is_blank, "a code that is not blank");
        }
        Form::Date => expect(is_date(value), "a date that exists, without a time"),
        Form::DateTime => expect(is_date_time(value), "a date or date-time that exists"),
        Form::Instant => {
            expect(is_instant(value), "a date that exists, with a time and a time zone");
        }
        Form::PositiveInt => expect(positive_int(value).is_some(), "a whole number from 1 on"),
        Form::Object(groups) => check(value, groups, faults),
        Form::Period(groups) => {
            check(value, groups, faults);
            check_order(value, faults);
        }
    }
}

/// A Period whose whole end lies before its start; per-1 of FHIR.
fn check_order(period: Node<'_>, faults: &mut Faults) {
    let day = |name| period.text_of(name).and_then(|text| When::parse(&text).ok());
    if let (Some(start), Some(end)) = (day("start"), day("end"))
        && end.before(start) == Truth::Met
    {
        faults.add(FaultKind::Invariant, period, "the period ends before it starts");
    }
}

impl Form {
    /// The JSON kind of the form, and what to call it.
    fn json(self) -> (Kind, &'static str) {
        match self {
            Form::Text | Form::Code | Form::Date | Form::DateTime | Form::Instant => {
                (Kind::Text, "a string")
            }
            Form::Boolean => (Kind::Bool, "`true` or `false`"),
            Form::Number | Form::PositiveInt => (Kind::Number, "a number"),
            Form::Object(_) | Form::Period(_) => (Kind::Object, "an object"),
        }
    }

    fn is_object(self) -> bool {
        self.json().0 == Kind::Object
    }
}

/// The number, if the value is a FHIR `positiveInt`.
pub(super) fn positive_int(value: Node<'_>) -> Option<u32> {
    let text = value.number()?;
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number <= MAX_POSITIVE_INT);
    number.filter(|_| is_plain)
}

fn is_date_time(value: Node<'_>) -> bool {
    value.text().is_some_and(|text| When::parse(&text).is_ok())
}

fn is_date(value: Node<'_>) -> bool {
    is_date_time(value) && value.text().is_some_and(|text| !text.contains('T'))
}

fn is_instant(value: Node<'_>) -> bool {
    let Some(text) = value.text() else { return false };
    let time = text.split_once('T').map(|(_, time)| time).unwrap_or_default();
    is_date_time(value) && (time.ends_with('Z') || has_offset(time))
}

/// Whether `time` ends in `+hh:mm` or `-hh:mm`.
fn has_offset(time: &str) -> bool {
    let Some((_, offset)) = time.rsplit_once(['+', '-']) else { return false };
    let Some((hours, minutes)) = offset.split_once(':') else { return false };
    [hours, minutes]
        .iter()
        .all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
}
