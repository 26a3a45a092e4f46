//! Floor 4: calls to other people's servers, and the rules of where they may go.
//!
//! The one place that builds HTTP clients for the service, so that no call goes around the rules:
//! notifications and the EHR's own data both come through here.
//! Refuses to know what is said on the line.
//!
//! Invariants:
//! - No redirect is followed, no proxy used, nothing tried a second time.
//! - The address that is connected to is one that was checked.

mod address;
mod endpoint;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use endpoint::Reach;
pub use endpoint::{EndpointFault, EndpointRules, Origin};

/// HTTP clients, one for each set of addresses that a call may reach.
#[derive(Debug)]
pub struct Lines {
    any: Client,
    public: Client,
    loopback: Client,
}

/// The clients could not be built: the system has no certificates, or no randomness.
#[derive(Debug, thiserror::Error)]
#[error("preparing to call other servers")]
pub struct LinesError(#[from] reqwest::Error);

impl Lines {
    /// Clients that wait for `timeout` at most, from looking the host up to the end of the answer,
    /// and keep `idle` connections to a host open for the next call.
    ///
    /// # Errors
    /// An HTTP client cannot be built.
    pub fn new(timeout: Duration, idle: usize) -> Result<Lines, LinesError> {
        let client = |reach| {
            Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(timeout)
                .timeout(timeout)
                .pool_max_idle_per_host(idle)
                .user_agent(concat!("priorauth/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Arc::new(Resolver(reach)))
                .build()
        };
        Ok(Lines {
            any: client(Reach::Any)?,
            public: client(Reach::Public)?,
            loopback: client(Reach::Loopback)?,
        })
    }

    /// The client for a call to `endpoint`, and the URL as it was checked.
    ///
    /// # Errors
    /// The rules do not allow the call.
    pub fn to(
        &self,
        endpoint: &str,
        rules: &EndpointRules,
    ) -> Result<(&Client, Url), EndpointFault> {
        let (url, reach) = rules.judge(endpoint)?;
        let client = match reach {
            Reach::Any => &self.any,
            Reach::Public => &self.public,
            Reach::Loopback => &self.loopback,
        };
        Ok((client, url))
    }
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
}
