//! Where calls may go.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::address::is_public;

/// Which endpoints may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointRules {
    /// The only origins that may be called. None: any that is https and public.
    pub allowed: Vec<Origin>,
    /// Whether loopback may be called too, also by http: development (rulings 1). Without effect
    /// where origins are named.
    pub loopback: bool,
}

/// Scheme, host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is `https://host` or `http://host`, perhaps with a port, and no more")]
pub struct OriginError;

impl Origin {
    /// Reads an origin.
    ///
    /// # Errors
    /// Another scheme than http or https, or more than scheme, host and port.
    pub fn parse(text: &str) -> Result<Origin, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !is_http(&url) || has_user(&url) {
            return Err(OriginError);
        }
        Ok(Origin::of(&url))
    }

    /// The origin of a URL.
    pub(crate) fn of(url: &Url) -> Origin {
        Origin(url.origin().ascii_serialization())
    }
}

/// Why an endpoint may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// It is no URL of a place that answers by http or https.
    #[error("an https URL without user and fragment is expected")]
    NoUrl,
    /// It is not encrypted.
    #[error("the endpoint must be https")]
    NotEncrypted,
    /// It is not one of those that the operator allows.
    #[error("this server does not call that host")]
    NotAllowed,
    /// It is inside somebody's network.
    #[error("the endpoint must have a public address")]
    NotPublic,
}

/// To which addresses an endpoint's host may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any: the operator named it.
    Any,
    /// Public ones.
    Public,
    /// Loopback ones.
    Loopback,
}

impl Reach {
    pub(super) fn includes(self, address: IpAddr) -> bool {
        match self {
            Reach::Any => true,
            Reach::Public => is_public(address),
            Reach::Loopback => address.to_canonical().is_loopback(),
        }
    }
}

impl EndpointRules {
    /// The URL of an endpoint, and how far the call may reach.
    ///
    /// A host that is a name is looked up only when it is called; the addresses are checked then.
    pub(super) fn judge(&self, endpoint: &str) -> Result<(Url, Reach), EndpointFault> {
        let url = Url::parse(endpoint).map_err(|_| EndpointFault::NoUrl)?;
        if !is_http(&url) || has_user(&url) || url.fragment().is_some() {
            return Err(EndpointFault::NoUrl);
        }
        let reach = self.reach(&url)?;
        match address(&url) {
            Some(address) if !reach.includes(address) => Err(EndpointFault::NotPublic),
            Some(_) | None => Ok((url, reach)),
        }
    }

    fn reach(&self, url: &Url) -> Result<Reach, EndpointFault> {
        if !self.allowed.is_empty() {
            let is_allowed = self.allowed.contains(&Origin::of(url));
            return if is_allowed { Ok(Reach::Any) } else { Err(EndpointFault::NotAllowed) };
        }
        let is_local = is_local_name(url) || address(url).is_some_and(|it| it.is_loopback());
        match (is_local, self.loopback) {
            (true, true) => Ok(Reach::Loopback),
            (true, false) => Err(EndpointFault::NotPublic),
            (false, _) if url.scheme() == "https" => Ok(Reach::Public),
            (false, _) => Err(EndpointFault::NotEncrypted),
        }
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The address, where the host is one: in any spelling, the parser has made it canonical.
fn address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_local_name(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rules: &EndpointRules, endpoint: &str) -> Result<Reach, EndpointFault> {
        rules.judge(endpoint).map(|(_, reach)| reach)
    }

    #[test]
    fn without_a_list_only_what_is_https_and_public_may_be_called() {
        let rules = EndpointRules::default();
        assert_eq!(judged(&rules, "https://ehr.test/hook?a=b"), Ok(Reach::Public));
        assert_eq!(judged(&rules, "https://8.8.8.8:8443/hook"), Ok(Reach::Public));
        for (endpoint, fault) in [
            ("http://ehr.test/hook", EndpointFault::NotEncrypted),
            ("ftp://ehr.test/hook", EndpointFault::NoUrl),
            ("mailto:someone@ehr.test", EndpointFault::NoUrl),
            ("hook", EndpointFault::NoUrl),
            ("https://user:secret@ehr.test/", EndpointFault::NoUrl),
            ("https://ehr.test/#part", EndpointFault::NoUrl),
            ("https://10.0.0.1/", EndpointFault::NotPublic),
            ("https://127.0.0.1/", EndpointFault::NotPublic),
            ("https://0x7f.1/", EndpointFault::NotPublic),
            ("https://2130706433/", EndpointFault::NotPublic),
            ("https://[::1]/", EndpointFault::NotPublic),
            ("https://[::ffff:192.168.0.1]/", EndpointFault::NotPublic),
            ("https://localhost/", EndpointFault::NotPublic),
            ("https://LOCALHOST./", EndpointFault::NotPublic),
            ("https://169.254.169.254/latest", EndpointFault::NotPublic),
        ] {
            assert_eq!(judged(&rules, endpoint), Err(fault), "{endpoint}");
        }
    }

    #[test]
    fn development_may_call_loopback_by_http_and_no_other_private_address() {
        let rules = EndpointRules { loopback: true, ..EndpointRules::default() };
        for endpoint in ["http://127.0.0.1:9/hook", "http://localhost:9/", "http://[::1]:9/"] {
            assert_eq!(judged(&rules, endpoint), Ok(Reach::Loopback), "{endpoint}");
        }
        assert_eq!(judged(&rules, "http://10.0.0.1/"), Err(EndpointFault::NotEncrypted));
        assert_eq!(judged(&rules, "https://10.0.0.1/"), Err(EndpointFault::NotPublic));
        assert!(!Reach::Loopback.includes("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn with_a_list_only_its_origins_may_be_called() {
        let allowed = vec![Origin::parse("https://Hooks.internal:8443").unwrap()];
        let rules = EndpointRules { allowed, loopback: true };
        assert_eq!(judged(&rules, "https://hooks.internal:8443/pas"), Ok(Reach::Any));
        for endpoint in
            ["https://hooks.internal/pas", "http://hooks.internal:8443/", "http://127.0.0.1/"]
        {
            assert_eq!(judged(&rules, endpoint), Err(EndpointFault::NotAllowed), "{endpoint}");
        }
        for text in ["hooks.internal", "https://a.test/path", "https://u@a.test", "ftp://a.test"] {
            assert_eq!(Origin::parse(text), Err(OriginError), "{text}");
        }
    }
}
