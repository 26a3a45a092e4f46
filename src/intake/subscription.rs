//! A PAS Subscription: taken apart, or refused with all its faults.
//!
//! Refuses what this server would not do: another topic, another channel, a content that the
//! version does not allow, a filter that it does not know, an end that has passed.
//! Refuses to know whether the endpoint may be reached: that is the operator's to say.
//! Never quotes a value in a fault: a header may hold a token.

use std::borrow::Cow;

use jiff::Timestamp;

use super::faults::Faults;
use crate::fhir::{Document, Fault, FaultKind, Kind, Node};
use crate::ig::PasVersion;
use crate::ig::pas::{FILTER_CRITERIA, PAYLOAD_CONTENT, PayloadContent, SUBSCRIPTION_TOPIC};

/// Most header lines, filters, and values of all filters that a Subscription may have.
pub const MOST_OF_EACH: usize = 50;
/// The longest header line, endpoint or filter, in bytes.
pub const LONGEST_TEXT: usize = 8 * 1024;

/// The names of the one thing that can be filtered by (pas.md T11).
const FILTER_NAMES: &[&str] = &["identifier", "org-identifier", "orgIdentifier"];
/// The media types that notifications are sent in.
const MEDIA_TYPES: &[&str] = &["application/fhir+json", "application/json"];
/// Headers that frame the request, which are the sender's own.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a Subscription asks for.
#[derive(Debug)]
pub struct SubscriptionRequest<'d> {
    /// The whole resource.
    pub node: Node<'d>,
    /// Its own id; a new one has none that counts.
    pub id: Option<Cow<'d, str>>,
    /// Whether it is to be silent.
    pub is_off: bool,
    /// Where notifications go.
    pub endpoint: String,
    /// The element that says so, for faults.
    pub endpoint_at: String,
    /// The media type of notifications, as it was written.
    pub media_type: String,
    /// How much a notification says.
    pub content: PayloadContent,
    /// Header lines, `Name: value`.
    pub headers: Vec<String>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// Identifiers of senders: of each list one must be the sender's.
    pub filters: Vec<Vec<String>>,
}

impl<'d> SubscriptionRequest<'d> {
    /// Takes a Subscription apart that passed [`Document::parse`] under FHIR's rules.
    ///
    /// # Errors
    /// Every fault that was found, each with its place.
    pub fn read(
        document: &'d Document<'d>,
        version: PasVersion,
        now: Timestamp,
    ) -> Result<SubscriptionRequest<'d>, Vec<Fault>> {
        let root = document.root();
        let mut faults = Faults::default();
        if root.text_of("resourceType").as_deref() != Some("Subscription") {
            faults.add(FaultKind::Structure, root, "a Subscription is expected");
            return Err(faults.into_vec());
        }
        let is_off = status(root, &mut faults);
        // Base FHIR: 1..1.
        text(root, "reason", &mut faults);
        if let Some(criteria) = text(root, "criteria", &mut faults)
            && criteria != SUBSCRIPTION_TOPIC
        {
            let at = root.get("criteria").unwrap_or(root);
            faults.add(FaultKind::NotSupported, at, "the only topic here is that of PAS");
        }
        let end = end(root, now, &mut faults);
        let filters = filters(root, &mut faults);
        let Some(channel) = root.get("channel").filter(|it| it.kind() == Kind::Object) else {
            faults.missing(root, "channel");
            return Err(faults.into_vec());
        };
        // PAS 2.2.1 spec-56
        if let Some(kind) = text(channel, "type", &mut faults)
            && kind != "rest-hook"
        {
            let at = channel.get("type").unwrap_or(channel);
            faults.add(FaultKind::NotSupported, at, "the only channel here is `rest-hook`");
        }
        let endpoint = text(channel, "endpoint", &mut faults).unwrap_or_default();
        let media_type = media_type(channel, &mut faults);
        let content = content(channel, version, &mut faults);
        let headers = headers(channel, &mut faults);
        match content {
            Some(content) if faults.is_empty() => Ok(SubscriptionRequest {
                node: root,
                id: root.text_of("id"),
                is_off,
                endpoint: endpoint.into_owned(),
                endpoint_at: format!("{}.endpoint", channel.place()),
                media_type,
                content,
                headers,
                end,
                filters,
            }),
            Some(_) | None => Err(faults.into_vec()),
        }
    }
}

/// The text of an element that must be there once.
fn text<'d>(parent: Node<'d>, name: &str, faults: &mut Faults) -> Option<Cow<'d, str>> {
    let Some(node) = parent.get(name) else {
        faults.missing(parent, name);
        return None;
    };
    let text = node.text().filter(|text| !text.trim().is_empty());
    if text.is_none() {
        faults.add(FaultKind::Structure, node, "a string that is not blank is expected");
    } else if text.as_ref().is_some_and(|text| text.len() > LONGEST_TEXT) {
        faults.add(FaultKind::TooLong, node, format!("it has more than {LONGEST_TEXT} bytes"));
    }
    text
}

/// Whether the Subscription is to be silent. A client sends `requested`; 2.1's profile asks for
/// `active` (pas.md 1.3), and a client that changes what it read sends back what it read.
fn status(root: Node<'_>, faults: &mut Faults) -> bool {
    let Some(status) = text(root, "status", faults) else { return false };
    if !matches!(&*status, "requested" | "active" | "error" | "off") {
        let at = root.get("status").unwrap_or(root);
        faults.add(FaultKind::Value, at, "`requested`, `active`, `error` or `off` is expected");
    }
    status == "off"
}

// rulings 41: a past `end` is refused with a reason.
fn end(root: Node<'_>, now: Timestamp, faults: &mut Faults) -> Option<Timestamp> {
    let node = root.get("end")?;
    match node.text().and_then(|text| text.parse::<Timestamp>().ok()) {
        None => {
            let expected = "a date that exists, with a time and a time zone, is expected";
            faults.add(FaultKind::Value, node, expected);
            None
        }
        Some(end) if end <= now => {
            faults.add(FaultKind::Value, node, "the Subscription would end before it begins");
            None
        }
        Some(end) => Some(end),
    }
}

fn filters(root: Node<'_>, faults: &mut Faults) -> Vec<Vec<String>> {
    let mut filters = Vec::new();
    for extension in root.get("_criteria").into_iter().flat_map(|it| it.each("extension")) {
        if extension.text_of("url").as_deref() != Some(FILTER_CRITERIA) {
            continue;
        }
        match text(extension, "valueString", faults).map(|text| filter(&text)) {
            Some(Some(parts)) => filters.extend(parts),
            Some(None) => {
                let at = extension.get("valueString").unwrap_or(extension);
                let known = FILTER_NAMES.join("`, `");
                let expected = format!("`name=value` is expected, with one of the names `{known}`");
                faults.add(FaultKind::NotSupported, at, expected);
            }
            None => {}
        }
    }
    let values: usize = filters.iter().map(Vec::len).sum();
    if values > MOST_OF_EACH {
        let at = root.get("_criteria").unwrap_or(root);
        faults.add(FaultKind::TooLong, at, format!("there are more than {MOST_OF_EACH} values"));
    }
    filters
}

/// The values of each part of `[ClaimResponse?]name=value,value[&name=value]`.
fn filter(text: &str) -> Option<Vec<Vec<String>>> {
    let text = text.trim();
    let query = text.strip_prefix("ClaimResponse?").unwrap_or(text);
    query.split('&').map(filter_part).collect()
}

fn filter_part(part: &str) -> Option<Vec<String>> {
    let (name, values) = part.split_once('=')?;
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    let is_known = FILTER_NAMES.contains(&name.trim());
    (is_known && values.iter().all(|value| !value.is_empty())).then_some(values)
}

fn media_type(channel: Node<'_>, faults: &mut Faults) -> String {
    let Some(payload) = text(channel, "payload", faults) else { return String::new() };
    let essence = payload.split(';').next().unwrap_or_default().trim();
    let is_plain = payload.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !is_plain || !MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        let at = channel.get("payload").unwrap_or(channel);
        faults.add(FaultKind::NotSupported, at, "notifications are application/fhir+json");
    }
    payload.into_owned()
}

fn content(channel: Node<'_>, version: PasVersion, faults: &mut Faults) -> Option<PayloadContent> {
    let extensions = channel.get("_payload").into_iter().flat_map(|it| it.each("extension"));
    let mut wanted =
        extensions.filter(|extension| extension.text_of("url").as_deref() == Some(PAYLOAD_CONTENT));
    let Some(extension) = wanted.next() else {
        let text = "the extension `backport-payload-content` is missing";
        faults.add(FaultKind::Required, channel.get("_payload").unwrap_or(channel), text);
        return None;
    };
    let code = text(extension, "valueCode", faults)?;
    let content = PayloadContent::from_code(&code);
    let allowed = PayloadContent::allowed(version);
    let found = content.filter(|content| allowed.contains(content));
    if found.is_none() {
        let at = extension.get("valueCode").unwrap_or(extension);
        let codes: Vec<&str> = allowed.iter().map(|content| content.code()).collect();
        let text = format!("this version of PAS allows `{}`", codes.join("`, `"));
        faults.add(FaultKind::NotSupported, at, text);
    }
    found
}

/// Every header line, which is kept as it is and sent with each notification (rulings 41).
fn headers(channel: Node<'_>, faults: &mut Faults) -> Vec<String> {
    let mut lines = Vec::new();
    for node in channel.each("header") {
        match node.text() {
            Some(line) if header_parts(&line).is_some() => lines.push(line.into_owned()),
            Some(_) | None => {
                let expected = "a header line `Name: value` is expected, of a header that a \
                                client may set";
                faults.add(FaultKind::Value, node, expected);
            }
        }
    }
    if lines.len() > MOST_OF_EACH {
        let at = channel.get("header").unwrap_or(channel);
        faults.add(FaultKind::TooLong, at, format!("there are more than {MOST_OF_EACH} lines"));
    }
    lines
}

/// Name and value of a header line, if it is one that may be sent.
///
/// No line can end early and begin another: control characters are refused.
#[must_use]
pub fn header_parts(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_matches(' ');
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    let is_value = value.bytes().all(|byte| byte.is_ascii_graphic() || b" \t".contains(&byte));
    let lower = name.to_ascii_lowercase();
    let is_framing = FRAMING.contains(&&*lower) || lower.starts_with("proxy-");
    (line.len() <= LONGEST_TEXT && is_name && is_value && !is_framing).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Rules;

    const GOOD: &str = r#"{"resourceType":"Subscription","status":"requested","reason":"r",
        "criteria":"http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic",
        "_criteria":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"ClaimResponse?org-identifier=1, 2"}]},
        "end":"2027-01-01T00:00:00Z",
        "channel":{"type":"rest-hook","endpoint":"https://ehr.test/hook","payload":"application/fhir+json",
        "_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"full-resource"}]},
        "header":["Authorization: Bearer abc"]}}"#;

    fn faults(text: &str, version: PasVersion) -> Vec<String> {
        let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        match SubscriptionRequest::read(&document, version, now) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.place).collect(),
        }
    }

    #[test]
    fn a_good_subscription_is_taken_apart() {
        let document = Document::parse(GOOD.as_bytes(), Rules::Fhir).unwrap();
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        let read = SubscriptionRequest::read(&document, PasVersion::V2_2_1, now).unwrap();
        assert_eq!(read.filters, [["1", "2"]]);
        assert_eq!(read.headers, ["Authorization: Bearer abc"]);
        assert_eq!(read.content, PayloadContent::FullResource);
        assert_eq!(read.media_type, "application/fhir+json");
        assert!(read.end.is_some() && !read.is_off);
    }

    #[test]
    fn each_fault_is_told_with_its_place() {
        for (from, to, place) in [
            ("PASSubscriptionTopic\"", "OtherTopic\"", "Subscription.criteria"),
            ("rest-hook", "websocket", "Subscription.channel.type"),
            ("full-resource", "id-only", "Subscription.channel._payload.extension[0].valueCode"),
            ("2027-01-01", "2025-01-01", "Subscription.end"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "Subscription.end"),
            ("org-identifier=", "patient=", "Subscription._criteria.extension[0].valueString"),
            ("1, 2", "1,", "Subscription._criteria.extension[0].valueString"),
            ("Authorization: ", "Host: ", "Subscription.channel.header[0]"),
            ("Bearer abc", r"Bearer a\r\nX: b", "Subscription.channel.header[0]"),
            ("application/fhir+json", "application/fhir+xml", "Subscription.channel.payload"),
            (r#""reason":"r","#, "", "Subscription.reason"),
            ("requested", "sometimes", "Subscription.status"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            assert_eq!(faults(&text, PasVersion::V2_2_1), [place], "{from} -> {to}");
        }
        let both = GOOD.replace("rest-hook", "email").replace("2027", "2020");
        assert_eq!(faults(&both, PasVersion::V2_2_1).len(), 2);
    }

    #[test]
    fn the_older_version_allows_both_contents_and_no_third() {
        for (content, allowed) in [("id-only", true), ("full-resource", true), ("empty", false)] {
            let text = GOOD.replace("full-resource", content);
            assert_eq!(faults(&text, PasVersion::V2_0_1).is_empty(), allowed, "{content}");
        }
    }

    #[test]
    fn all_three_names_of_the_filter_are_known() {
        for name in FILTER_NAMES {
            let text = GOOD.replace("ClaimResponse?org-identifier", name);
            assert_eq!(faults(&text, PasVersion::V2_0_1), [""; 0], "{name}");
        }
    }
}
