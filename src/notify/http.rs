//! Letters by HTTP.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::{Courier, Letter, Sending, Undelivered};
use crate::outbound::{EndpointFault, EndpointRules, Lines, LinesError};

/// A courier that posts letters to endpoints, within the rules.
#[derive(Debug)]
pub struct HttpCourier {
    rules: EndpointRules,
    lines: Lines,
}

impl HttpCourier {
    /// A courier that waits for `timeout` at most, from looking the host up to the answer.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(rules: EndpointRules, timeout: Duration) -> Result<HttpCourier, LinesError> {
        Ok(HttpCourier { rules, lines: Lines::new(timeout, 1)? })
    }

    async fn post(&self, letter: &Letter) -> Result<(), Undelivered> {
        let (client, url) =
            self.lines.to(&letter.endpoint, &self.rules).map_err(Undelivered::NotAllowed)?;
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
        self.lines.to(endpoint, &self.rules).map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

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
