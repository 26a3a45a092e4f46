//! Which member, birth date and NPI the references of the files lead to.
//!
//! Held in memory: a few hundred bytes for each Coverage, Patient and Practitioner of one call.

use std::collections::HashMap;

use super::resource::{Located, beneficiary, birth_date, contained};
use super::table::why_no_npi;
use crate::fhir::Node;
use crate::intake::coverage::{member_id, member_number};
use crate::intake::reader::npi;
use crate::terms::{Day, Npi, When};

/// How many resources of one call others may refer to.
const MOST_LINKS: usize = 20_000_000;

/// What references lead to, by `Type/id`.
#[derive(Default)]
pub(super) struct Links {
    members: HashMap<Box<str>, Answer<Box<str>>>,
    births: HashMap<Box<str>, Answer<Born>>,
    people: HashMap<Box<str>, Answer<Person>>,
}

/// When a Patient was born, as far as it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Born(pub(super) Option<When>);

/// Who a Practitioner is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) npi: Result<Npi, &'static str>,
    pub(super) is_active: bool,
}

/// What all resources of one name say: the same, or several things.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer<T> {
    One(T),
    Several,
}

fn put<T: PartialEq>(map: &mut HashMap<Box<str>, Answer<T>>, name: &str, value: T) {
    match map.get_mut(name) {
        None => {
            map.insert(name.into(), Answer::One(value));
        }
        Some(Answer::One(known)) if *known == value => {}
        Some(answer) => *answer = Answer::Several,
    }
}

impl Links {
    /// Notes what other resources may refer to; whether there is room for more.
    pub(super) fn note(&mut self, node: Node<'_>, today: Day) -> bool {
        let kind = node.text_of("resourceType").unwrap_or_default();
        let Some(id) = node.text_of("id") else { return true };
        let name = format!("{kind}/{id}");
        match &*kind {
            "Coverage" => {
                if let Some(member) = member_id(node) {
                    if let Some(Located::Elsewhere(patient)) = beneficiary(node) {
                        put(&mut self.members, &patient, member.clone());
                    }
                    put(&mut self.members, &name, member);
                }
            }
            "Patient" => {
                if let Some(member) = member_number(node) {
                    put(&mut self.members, &name, member);
                }
                if let Ok(born) = birth_date(node, today) {
                    put(&mut self.births, &name, Born(born));
                }
            }
            "Practitioner" => put(&mut self.people, &name, person(node)),
            _ => {}
        }
        self.members.len() + self.births.len() + self.people.len() <= MOST_LINKS
    }

    /// The members of a Coverage or a Patient that stands in the files.
    pub(super) fn member(&self, name: &str) -> Result<Option<&str>, &'static str> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Answer::One(member)) => Ok(Some(member)),
            Some(Answer::Several) => Err("a reference leads to several members"),
        }
    }

    /// The birth date of a Patient that stands in the files; `None`: there is no such Patient.
    pub(super) fn birth(&self, name: &str) -> Result<Option<Born>, &'static str> {
        match self.births.get(name) {
            None => Ok(None),
            Some(Answer::One(born)) => Ok(Some(*born)),
            Some(Answer::Several) => Err("its Patient stands there several times"),
        }
    }

    /// Who a reference to a Practitioner means.
    pub(super) fn person(
        &self,
        within: Node<'_>,
        located: &Located,
    ) -> Result<Person, &'static str> {
        match located {
            Located::Contained(id) => Ok(contained(within, id).map_or(
                Person { npi: Err("its practitioner is not there"), is_active: true },
                person,
            )),
            Located::Elsewhere(name) => match self.people.get(&**name) {
                None => Err("its practitioner is not in the files"),
                Some(Answer::One(person)) => Ok(person.clone()),
                Some(Answer::Several) => Err("its practitioner stands there several times"),
            },
        }
    }
}

/// Who a Practitioner says to be.
pub(super) fn person(node: Node<'_>) -> Person {
    let npi = match npi(node) {
        None => Err("it has no NPI"),
        Some(number) => number.map_err(why_no_npi),
    };
    Person { npi, is_active: node.get("active").and_then(Node::boolean) != Some(false) }
}
