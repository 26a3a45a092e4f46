//! Sets of codes, each with its source and version.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Coding, System};

/// A set of codes: listed ones, and in hierarchical systems all below a listed prefix.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    members: HashSet<Coding, BuildHasherDefault<KeyHasher>>,
    /// Of each system the texts with which codes begin that are in the set (ICD-10-CM categories):
    /// sorted, and none that begins with another one.
    categories: Vec<(System, Vec<Box<str>>)>,
}

impl ValueSet {
    /// Adds one code.
    pub fn add(&mut self, coding: Coding) {
        self.members.insert(coding);
    }

    /// Adds everything that is in `other`.
    pub fn merge(&mut self, other: ValueSet) {
        self.members.extend(other.members);
        for (system, categories) in other.categories {
            for category in categories {
                self.insert_category(system.clone(), category);
            }
        }
    }

    /// Adds `category` and everything below it; only for systems whose codes say their parent.
    pub fn add_category(&mut self, system: System, category: &str) {
        let category = Coding::new(system, category);
        self.insert_category(category.system, category.code);
    }

    fn insert_category(&mut self, system: System, category: Box<str>) {
        let known = self.categories.iter().position(|(known, _)| *known == system);
        let place = known.unwrap_or_else(|| {
            self.categories.push((system, Vec::new()));
            self.categories.len() - 1
        });
        let Some((_, categories)) = self.categories.get_mut(place) else { return };
        if begins_with_one(&category, categories) {
            return;
        }
        categories.retain(|below| !below.starts_with(&*category));
        let place = categories.partition_point(|other| *other < category);
        categories.insert(place, category);
    }

    /// Whether `coding` is in the set.
    #[must_use]
    pub fn contains(&self, coding: &Coding) -> bool {
        self.members.contains(coding)
            || self.categories.iter().any(|(system, categories)| {
                *system == coding.system && begins_with_one(&coding.code, categories)
            })
    }

    /// The listed codes, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = &Coding> {
        self.members.iter()
    }

    /// Whether the set has no code at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.categories.is_empty()
    }
}

/// Whether `code` begins with one of the categories, which are sorted and of which none begins with
/// another: it can only be the last one that does not stand behind the code.
fn begins_with_one(code: &str, categories: &[Box<str>]) -> bool {
    let behind = categories.partition_point(|category| **category <= *code);
    let last = behind.checked_sub(1).and_then(|place| categories.get(place));
    last.is_some_and(|category| code.starts_with(&**category))
}

/// Takes the hash that a [`Coding`] carries as it is.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        // A Coding writes one number and nothing else.
        self.0 = bytes.iter().fold(self.0, |key, byte| key.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_holds_what_is_below_it_and_not_its_neighbours() {
        let mut set = ValueSet::default();
        set.add_category(System::Icd10Cm, "O09");
        assert!(set.contains(&Coding::new(System::Icd10Cm, "O09.523")));
        assert!(!set.contains(&Coding::new(System::Icd10Cm, "O08.1")));
        assert!(!set.contains(&Coding::new(System::SnomedCt, "O09.523")));
    }

    #[test]
    fn any_categories_in_any_order_hold_what_begins_with_one_of_them() {
        let parts = ["A", "B", "A1", "A12", "A2", "B1", "B12", "AA", "C", "A123"];
        let codes: Vec<String> = ["", "0", "1", "12", "123", "2", "A", "B9", "Z"]
            .iter()
            .flat_map(|end| parts.iter().map(move |part| format!("{part}{end}")))
            .collect();
        for chosen in 0_usize..1 << parts.len() {
            let is_chosen = |place: usize| chosen >> place & 1 == 1;
            let order: Vec<usize> = (0..parts.len()).filter(|place| is_chosen(*place)).collect();
            let turned = order.iter().rev().chain(order.iter());
            let mut set = ValueSet::default();
            for place in turned.take(order.len() + chosen % 3) {
                set.add_category(System::Icd10Cm, parts[*place]);
            }
            for code in &codes {
                let expected = order.iter().any(|place| code.starts_with(parts[*place]));
                let coding = Coding::new(System::Icd10Cm, code);
                assert_eq!(set.contains(&coding), expected, "{order:?} {code}");
            }
        }
    }
}
