//! Letters by HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

use super::endpoint::Reach;
use super::{Courier, EndpointFault, EndpointRules, Letter, Sending, Undelivered};

/// A courier that posts letters to endpoints, within the rules.
#[derive(Debug)]
pub struct HttpCourier {
    rules: EndpointRules,
    any: Client,
    public: Client,
    loopback: Client,
}

/// The client could not be built: the system has no certificates, or no randomness.
#[derive(Debug, thiserror::Error)]
#[error("preparing to send notifications")]
pub struct CourierError(#[from] reqwest::Error);

impl HttpCourier {
    /// A courier that waits for `timeout` at most, from looking the host up to the answer.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(rules: EndpointRules, timeout: Duration) -> Result<HttpCourier, CourierError> {
        let client = |reach| {
            Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(timeout)
                .timeout(timeout)
                .pool_max_idle_per_host(1)
                .user_agent(concat!("priorauth/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(std::sync::Arc::new(Resolver(reach)))
                .build()
        };
        Ok(HttpCourier {
            rules,
            any: client(Reach::Any)?,
            public: client(Reach::Public)?,
            loopback: client(Reach::Loopback)?,
        })
    }

    async fn post(&self, letter: &Letter) -> Result<(), Undelivered> {
        let (url, reach) = self.rules.judge(&letter.endpoint).map_err(Undelivered::NotAllowed)?;
        let client = match reach {
            Reach::Any => &self.any,
            Reach::Public => &self.public,
            Reach::Loopback => &self.loopback,
        };
        let headers = headers(letter).ok_or(Undelivered::Header)?;
        let request = client.request(Method::POST, url).headers(headers);
        let sent = request.body(letter.body.clone()).send().await;
        // What it says beside the status is not read: dropping the answer ends the connection.
        match sent {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(Undelivered::Status(response.status().as_u16())),
            Err(error) if error.is_timeout() => Err(Undelivered::TooSlow),
            Err(error) if error.is_connect() => Err(Undelivered::Unreachable),
            Err(_) => Err(Undelivered::NoAnswer),
        }
    }
}

impl Courier for HttpCourier {
    fn may_call(&self, endpoint: &str) -> Result<(), EndpointFault> {
        self.rules.judge(endpoint).map(|_| ())
    }

    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        Box::pin(self.post(letter))
    }
}

/// Every header line in its order, and the media type where no line says it.
fn headers(letter: &Letter) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &letter.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(&letter.media_type).ok()?);
    }
    Some(headers)
}

/// Looks a name up and hands out the addresses that may be called, so that what was checked is
/// what is connected to.
#[derive(Debug)]
struct Resolver(Reach);

#[derive(Debug, thiserror::Error)]
#[error("none of the addresses may be called")]
struct NoAddress;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|it| reach.includes(it.ip())).collect();
            if good.is_empty() {
                return Err(NoAddress.into());
            }
            let addresses: Addrs = Box::new(good.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_leads_only_to_addresses_that_may_be_called() {
        let resolve = |reach| Resolver(reach).resolve("localhost".parse().unwrap());
        assert!(resolve(Reach::Public).await.is_err());
        let loopback: Vec<SocketAddr> = resolve(Reach::Loopback).await.unwrap().collect();
        assert!(!loopback.is_empty() && loopback.iter().all(|it| it.ip().is_loopback()));
    }

    #[tokio::test]
    async fn a_courier_without_a_list_never_connects_to_loopback() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let courier = HttpCourier::new(EndpointRules::default(), Duration::from_secs(1)).unwrap();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let letter = Letter {
                endpoint: format!("https://{host}:{port}/"),
                media_type: "application/fhir+json".into(),
                headers: Vec::new(),
                body: "{}".into(),
            };
            let refused = Undelivered::NotAllowed(EndpointFault::NotPublic);
            assert_eq!(courier.send(&letter).await, Err(refused), "{host}");
        }
        assert!(listener.accept().is_err());
    }
}
