//! What is wanted: a read, a search, or the next page of a search.

use std::borrow::Cow;

use reqwest::Url;

/// How long an id may be; FHIR says 64, and EHRs do not keep to it (crd.md 7.2).
const LONGEST_ID: usize = 256;

/// Something that is wanted of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    kind: Box<str>,
    ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    /// One resource, by its id.
    Read(Box<str>),
    /// A search, by its parameters.
    Search(Vec<(String, String)>),
    /// The next page of a search that has begun.
    Page(Box<str>),
}

/// The values of the tokens in prefetch templates.
#[derive(Clone, Debug, Default)]
pub struct Tokens<'d> {
    /// `context.patientId`.
    pub patient: Option<Cow<'d, str>>,
    /// `context.encounterId`.
    pub encounter: Option<Cow<'d, str>>,
    /// `context.userId`, with its type.
    pub user: Option<Cow<'d, str>>,
}

impl Tokens<'_> {
    fn value(&self, token: &str) -> Option<&str> {
        let user = |kind: &str| self.user.as_deref()?.strip_prefix(kind)?.strip_prefix('/');
        let value = match token {
            "context.patientId" => self.patient.as_deref(),
            "context.encounterId" => self.encounter.as_deref(),
            "userPractitionerId" => user("Practitioner"),
            "userPractitionerRoleId" => user("PractitionerRole"),
            _ => None,
        };
        value.filter(|value| is_id(value))
    }

    /// The template with its tokens filled in; `None` where one has no value, or is one of those
    /// that only an EHR can follow: what they lead to is found by reference.
    fn fill(&self, template: &str) -> Option<String> {
        let (first, rest) = template.split_once("{{").unwrap_or((template, ""));
        let mut filled = first.to_owned();
        if rest.is_empty() {
            return Some(filled);
        }
        for part in rest.split("{{") {
            let (token, after) = part.split_once("}}")?;
            filled.push_str(self.value(token.trim())?);
            filled.push_str(after);
        }
        Some(filled)
    }
}

impl Wish {
    /// What a prefetch template asks for.
    #[must_use]
    pub fn of_template(template: &str, tokens: &Tokens<'_>) -> Option<Wish> {
        let filled = tokens.fill(template)?;
        if let Some((kind, query)) = filled.split_once('?') {
            let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let mut query: Vec<(String, String)> =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            if kind == "MedicationRequest" && !query.iter().any(|(name, _)| name == "intent") {
                query.push(("intent".to_owned(), INTENTS.to_owned()));
            }
            return is_type(kind).then(|| Wish { kind: kind.into(), ask: Ask::Search(query) });
        }
        Wish::of_reference(&filled, "")
    }

    /// What a reference points at: `Type/id`, or the same below `base`.
    #[must_use]
    pub fn of_reference(reference: &str, base: &str) -> Option<Wish> {
        let base = base.trim_end_matches('/');
        let below = reference.strip_prefix(base).filter(|_| !base.is_empty());
        let local = below.and_then(|it| it.strip_prefix('/')).unwrap_or(reference);
        let mut steps = local.split('/');
        let (kind, id) = (steps.next()?, steps.next()?);
        let is_whole = matches!(steps.next(), None | Some("_history"));
        (is_whole && is_type(kind) && is_id(id)).then(|| Wish::read(kind, id))
    }

    /// The search for the roles of a practitioner.
    #[must_use]
    pub fn roles_of(practitioner: &str) -> Wish {
        let query = vec![("practitioner".to_owned(), practitioner.to_owned())];
        Wish { kind: "PractitionerRole".into(), ask: Ask::Search(query) }
    }

    /// One resource.
    fn read(kind: &str, id: &str) -> Wish {
        Wish { kind: kind.into(), ask: Ask::Read(id.into()) }
    }

    /// The rest of a search for resources of `kind`.
    #[must_use]
    pub fn page(kind: &str, url: &str) -> Wish {
        Wish { kind: kind.into(), ask: Ask::Page(url.into()) }
    }

    /// Whether it is the rest of a search.
    #[must_use]
    pub fn is_page(&self) -> bool {
        matches!(self.ask, Ask::Page(_))
    }

    /// The type of what is wanted.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id of what is wanted, where it is one resource.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match &self.ask {
            Ask::Read(id) => Some(id),
            Ask::Search(_) | Ask::Page(_) => None,
        }
    }

    /// The rest of what this search has begun; `next` is a URL, or one from the search's own on.
    pub(super) fn next_page(&self, base: &Url, next: &str) -> Wish {
        let url = self.url(base).and_then(|url| url.join(next).ok());
        Wish::page(&self.kind, url.as_ref().map_or(next, Url::as_str))
    }

    /// `Type/id`, or the type alone.
    #[must_use]
    pub fn name(&self) -> String {
        match self.id() {
            Some(id) => format!("{}/{id}", self.kind),
            None => self.kind.to_string(),
        }
    }

    /// The URL below a server's base; a page's is taken as it is, to be checked by who calls it.
    pub(super) fn url(&self, base: &Url) -> Option<Url> {
        let mut url = base.clone();
        {
            let mut steps = url.path_segments_mut().ok()?;
            steps.pop_if_empty().push(&self.kind);
            if let Ask::Read(id) = &self.ask {
                steps.push(id);
            }
        }
        match &self.ask {
            Ask::Read(_) => {}
            Ask::Search(query) => drop(url.query_pairs_mut().extend_pairs(query)),
            Ask::Page(page) => url = base.join(page).ok()?,
        }
        Some(url)
    }
}

/// US Core asks of servers to search by patient and intent together (crd.md 3.6); all of them mean
/// the same as none. Source of the codes: HL7 FHIR R4, `medicationrequest-intent`.
const INTENTS: &str =
    "proposal,plan,order,original-order,reflex-order,filler-order,instance-order,option";

/// The characters of FHIR's ids and those that stand for themselves in a URL; no dots alone, which
/// would lead to another path.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=LONGEST_ID).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.bytes().all(|byte| byte == b'.')
}

fn is_type(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://ehr.test/r4/";

    fn url(wish: &Wish) -> String {
        wish.url(&Url::parse(BASE).unwrap()).unwrap().to_string()
    }

    fn tokens() -> Tokens<'static> {
        Tokens {
            patient: Some("p-1".into()),
            encounter: None,
            user: Some("Practitioner/d-1".into()),
        }
    }

    #[test]
    fn a_template_becomes_the_same_query_below_the_base() {
        for (template, expected) in [
            ("Patient/{{context.patientId}}", "Patient/p-1"),
            ("Practitioner/{{userPractitionerId}}", "Practitioner/d-1"),
            (
                "Coverage?patient={{context.patientId}}&status=active",
                "Coverage?patient=p-1&status=active",
            ),
            (
                "Observation?patient={{context.patientId}}&code=http://loinc.org|1-8,a|b",
                "Observation?patient=p-1&code=http%3A%2F%2Floinc.org%7C1-8%2Ca%7Cb",
            ),
        ] {
            let wish = Wish::of_template(template, &tokens()).unwrap();
            assert_eq!(url(&wish), format!("{BASE}{expected}"));
        }
        for template in [
            "Encounter/{{context.encounterId}}",
            "PractitionerRole/{{userPractitionerRoleId}}",
            "Device?_id={{context.draftOrders.entry.resource.ofType(DeviceRequest).code.resolve().id}}",
            "Location?_id={{%encounter.location.location.resolve().id}}",
        ] {
            assert_eq!(Wish::of_template(template, &tokens()), None, "{template}");
        }
    }

    #[test]
    fn an_id_that_would_lead_elsewhere_is_not_asked_for() {
        for id in ["..", ".", "a/b", "a?b=c", "a#b", "a%2fb", "a b", "", &"a".repeat(257)] {
            let tokens = Tokens { patient: Some(id.to_owned().into()), ..Tokens::default() };
            assert_eq!(Wish::of_template("Patient/{{context.patientId}}", &tokens), None, "{id}");
            let search = "Condition?patient={{context.patientId}}";
            assert_eq!(Wish::of_template(search, &tokens), None, "{id}");
        }
    }

    #[test]
    fn a_reference_is_read_where_it_points_at_this_server() {
        let read = |reference| Wish::of_reference(reference, BASE).map(|wish| url(&wish));
        let expected = Some(format!("{BASE}Organization/o-1"));
        for reference in [
            "Organization/o-1",
            "Organization/o-1/_history/3",
            "https://ehr.test/r4/Organization/o-1",
        ] {
            assert_eq!(read(reference), expected, "{reference}");
        }
        for reference in [
            "#o-1",
            "urn:uuid:4f0c1f34-1f05-4d3c-9d26-0d6d3f0a0001",
            "https://other.test/r4/Organization/o-1",
            "https://ehr.test/r4-b/Organization/o-1",
            "Organization/..",
            "Organization",
            "Organization/o-1/x",
        ] {
            assert_eq!(read(reference), None, "{reference}");
        }
    }
}
