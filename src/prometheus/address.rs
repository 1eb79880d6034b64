//! Where a query may go. An Application names the address, so it must not become a way to reach what only the
//! controller can reach.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Refuses addresses that no metrics are asked for: link-local ones, where clouds serve their machines'
/// credentials, and those of the API server.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    refused: Arc<Vec<IpAddr>>,
}

impl Guard {
    /// A guard that refuses these addresses too.
    pub fn new(refused: Vec<IpAddr>) -> Self {
        Self { refused: Arc::new(refused) }
    }

    /// Whether a connection to `address` may be made.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        let special = match address {
            IpAddr::V4(v4) => {
                v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()
            }
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
        };
        !special && !self.refused.contains(&address)
    }

    /// Whether the host of `url` may be asked, as far as it is an address and no name. Names are looked at when
    /// they are resolved.
    pub fn allows_literal(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host.parse().map_or(true, |address| self.allows(address))
    }
}

/// The machine's resolver, with what is refused left out of its answers.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{} has no address that may be asked for metrics", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_controller_reaches_is_refused() {
        let guard = Guard::new(vec!["10.96.0.1".parse().unwrap()]);
        for (address, allowed) in [
            ("http://10.0.0.9:9090", true),
            ("http://prometheus.monitoring:9090", true),
            ("http://169.254.169.254", false),
            ("http://[fe80::1]", false),
            ("http://[::ffff:169.254.169.254]", false),
            ("http://0.0.0.0:9090", false),
            ("http://[::]:9090", false),
            ("https://10.96.0.1", false),
            ("https://[::ffff:10.96.0.1]", false),
            ("http://2852039166", false),
        ] {
            assert_eq!(guard.allows_literal(&address.parse().unwrap()), allowed, "{address}");
        }
    }
}
