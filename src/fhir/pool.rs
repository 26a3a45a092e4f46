//! The resources that came with one request, and references between them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::strict_json::Node;

/// A resource and where it came from.
#[derive(Clone, Debug)]
pub struct Entry<'d> {
    /// The URL under which the Bundle lists it; contained and bare resources have none.
    pub full_url: Option<Cow<'d, str>>,
    /// The resource itself, an object.
    pub node: Node<'d>,
    /// Its `resourceType`; empty if it does not say.
    pub kind: Cow<'d, str>,
    /// Its `id`.
    pub id: Option<Cow<'d, str>>,
    /// The entry that contains it, where it is a contained resource.
    pub container: Option<usize>,
}

impl Entry<'_> {
    /// How the entry is named to people and in answers: `Condition/c1`, else its full URL.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.id, &self.full_url) {
            (Some(id), _) => format!("{}/{id}", self.kind),
            (None, Some(url)) => url.clone().into_owned(),
            (None, None) => self.kind.clone().into_owned(),
        }
    }
}

/// A bag of resources with an index for references.
///
/// The same `Type/id` may come twice (once in a hook's context, once in its prefetch): the first
/// one counts. An entry is known by its place in [`Pool::entries`], which is stable.
#[derive(Debug, Default)]
pub struct Pool<'d> {
    entries: Vec<Entry<'d>>,
    by_type: HashMap<Cow<'d, str>, Vec<usize>>,
    by_url: HashMap<String, usize>,
    by_type_and_id: HashMap<String, Named>,
    /// The base of resources that come without a URL, where it is known.
    server: Option<String>,
}

/// The entries of one `Type/id`, contained ones apart.
#[derive(Clone, Copy, Debug)]
struct Named {
    first: usize,
    count: usize,
}

impl<'d> Pool<'d> {
    /// An empty pool of one server's resources: one that comes without a URL is meant by that
    /// server's URL of it, and by no other's.
    #[must_use]
    pub fn of_server(base: Option<&str>) -> Pool<'d> {
        let server = base.map(|base| format!("{}/", base.trim_end_matches('/')));
        Pool { server, ..Pool::default() }
    }

    /// Puts in a resource, and all resources that it contains.
    ///
    /// A resource whose `Type/id` is there already is left out, and the known one's place is
    /// returned.
    pub fn add(&mut self, full_url: Option<Cow<'d, str>>, node: Node<'d>) -> usize {
        let kind = node.text_of("resourceType").unwrap_or_default();
        let id = node.text_of("id");
        let local = id.as_ref().map(|id| format!("{kind}/{id}"));
        let known_url = full_url.as_deref().and_then(|url| self.by_url.get(url).copied());
        // A resource without a URL is the one of that name; with a URL it is the same only as one
        // that came without: `prefetch.patient` beside a searchset that includes the patient.
        let known_local = local
            .as_ref()
            .and_then(|local| self.by_type_and_id.get(local))
            .map(|named| named.first)
            .filter(|place| {
                full_url.is_none()
                    || self.entries.get(*place).is_some_and(|entry| entry.full_url.is_none())
            });
        if let Some(place) = known_url.or(known_local) {
            if let Some(url) = full_url {
                self.by_url.entry(url.into_owned()).or_insert(place);
            }
            return place;
        }
        let place = self.entries.len();
        if let Some(url) = &full_url {
            self.by_url.insert(url.clone().into_owned(), place);
        }
        if let Some(local) = local {
            let named =
                self.by_type_and_id.entry(local).or_insert(Named { first: place, count: 0 });
            named.count += 1;
        }
        self.by_type.entry(kind.clone()).or_default().push(place);
        self.entries.push(Entry { full_url, node, kind, id, container: None });
        for contained in node.each("contained") {
            let kind = contained.text_of("resourceType").unwrap_or_default();
            let id = contained.text_of("id");
            if let Some(id) = &id {
                self.by_url.insert(format!("{place}#{id}"), self.entries.len());
            }
            self.by_type.entry(kind.clone()).or_default().push(self.entries.len());
            self.entries.push(Entry {
                full_url: None,
                node: contained,
                kind,
                id,
                container: Some(place),
            });
        }
        place
    }

    /// Puts in every resource of a Bundle's entries.
    pub fn add_bundle(&mut self, bundle: Node<'d>) {
        for entry in bundle.each("entry") {
            if let Some(resource) = entry.get("resource") {
                self.add(entry.text_of("fullUrl"), resource);
            }
        }
    }

    /// All entries, contained ones behind their container.
    #[must_use]
    pub fn entries(&self) -> &[Entry<'d>] {
        &self.entries
    }

    /// The entry at `place`.
    #[must_use]
    pub fn entry(&self, place: usize) -> Option<&Entry<'d>> {
        self.entries.get(place)
    }

    /// The places of all entries of one resource type.
    pub fn of_type<'p>(&'p self, kind: &'p str) -> impl Iterator<Item = usize> + 'p {
        self.by_type.get(kind).into_iter().flatten().copied()
    }

    /// How many entries have this `Type/id`, contained ones not counted.
    #[must_use]
    pub fn count_of(&self, local: &str) -> usize {
        self.by_type_and_id.get(local).map_or(0, |named| named.count)
    }

    /// The place of what a FHIR Reference that stands in entry `from` points at.
    ///
    /// `#id` is contained in the same entry; an absolute URL is compared as it stands; `Type/id`
    /// is first read against the base of `from`'s full URL and then as the only one of that name.
    /// A version (`/_history/…`) is left off.
    #[must_use]
    pub fn resolve(&self, reference: &str, from: usize) -> Option<usize> {
        let home = self.entries.get(from).map_or(from, |entry| entry.container.unwrap_or(from));
        if let Some(id) = reference.strip_prefix('#') {
            return if id.is_empty() {
                Some(home)
            } else {
                self.by_url.get(&format!("{home}#{id}")).copied()
            };
        }
        let reference = reference.split("/_history/").next().unwrap_or(reference);
        if let Some(place) = self.by_url.get(reference) {
            return Some(*place);
        }
        let is_absolute = reference.contains(':');
        if is_absolute {
            // Only a resource that came without a URL of its own can still be meant by its id.
            let local = last_two_segments(reference)?;
            let base = reference.strip_suffix(local)?;
            if self.server.as_deref().is_some_and(|server| server != base) {
                return None;
            }
            let place = self.by_type_and_id.get(local)?.first;
            let has_url = self.entries.get(place).is_none_or(|entry| entry.full_url.is_some());
            return (!has_url).then_some(place);
        }
        let base = self
            .entries
            .get(home)
            .and_then(|entry| entry.full_url.as_deref())
            .and_then(base_of)
            .map(|base| format!("{base}{reference}"));
        base.and_then(|url| self.by_url.get(&url).copied())
            .or_else(|| self.by_type_and_id.get(reference).map(|named| named.first))
    }

    /// The place of what the Reference element `reference` points at.
    #[must_use]
    pub fn follow(&self, reference: Node<'_>, from: usize) -> Option<usize> {
        self.resolve(&reference.text_of("reference")?, from)
    }
}

/// `https://ehr.test/fhir/` of `https://ehr.test/fhir/Patient/1`; `urn:` URLs have no base.
fn base_of(full_url: &str) -> Option<&str> {
    if !full_url.starts_with("http") {
        return None;
    }
    let local = last_two_segments(full_url)?;
    full_url.strip_suffix(local)
}

fn last_two_segments(url: &str) -> Option<&str> {
    let mut slashes = url.rmatch_indices('/').map(|(at, _)| at);
    slashes.next()?;
    let at = slashes.next()?;
    url.get(at + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::strict_json::{Document, Rules};

    const BUNDLE: &str = r#"{"resourceType":"Bundle","entry":[
        {"fullUrl":"https://a.test/fhir/Claim/1","resource":{"resourceType":"Claim","id":"1",
          "contained":[{"resourceType":"Organization","id":"o"}]}},
        {"fullUrl":"https://a.test/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1"}},
        {"fullUrl":"https://b.test/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1"}},
        {"fullUrl":"urn:uuid:4f0c1f34-1f05-4d3c-9d26-0d6d3f0a0001","resource":{"resourceType":"Coverage","id":"c"}}
    ]}"#;

    #[test]
    fn references_are_read_against_the_base_of_the_referring_entry() {
        let document = Document::parse(BUNDLE.as_bytes(), Rules::Fhir).unwrap();
        let mut pool = Pool::default();
        pool.add_bundle(document.root());
        let resolve = |reference: &str| pool.resolve(reference, 0);
        assert_eq!(resolve("#o"), Some(1));
        assert_eq!(resolve("Patient/1"), Some(2));
        assert_eq!(resolve("https://b.test/fhir/Patient/1"), Some(3));
        assert_eq!(resolve("https://a.test/fhir/Patient/1/_history/4"), Some(2));
        assert_eq!(resolve("https://c.test/fhir/Patient/1"), None);
        assert_eq!(resolve("urn:uuid:4f0c1f34-1f05-4d3c-9d26-0d6d3f0a0001"), Some(4));
        assert_eq!(resolve("Coverage/c"), Some(4));
        assert_eq!(resolve("#missing"), None);
        assert_eq!(resolve("Patient/2"), None);
    }

    #[test]
    fn a_resource_without_a_url_is_meant_by_its_own_servers_url_only() {
        let text = r#"{"resourceType":"Patient","id":"1"}"#;
        let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
        let mut pool = Pool::of_server(Some("https://a.test/fhir/"));
        let place = pool.add(None, document.root());
        assert_eq!(pool.resolve("https://a.test/fhir/Patient/1", place), Some(place));
        assert_eq!(pool.resolve("https://b.test/fhir/Patient/1", place), None);
        assert_eq!(pool.resolve("Patient/1", place), Some(place));
    }
}
