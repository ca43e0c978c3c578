//! Whose request it is, also behind proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// `listed`: addresses and networks, as the configuration has accepted them.
    pub fn new(listed: &[String]) -> Self {
        Self(listed.iter().filter_map(|listed| dactyl_config::network(listed)).collect())
    }

    /// Whether one of them has that address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client behind a connection from `peer`: what the nearest proxies have said of whom they had the
    /// request from, as far back as their word is believed. Anybody may have written what stands before that.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter();
        let said: Vec<&str> =
            lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
        for entry in said.into_iter().rev() {
            if !self.contain(client) {
                break;
            }
            let Some(address) = address(entry.trim()) else { break };
            client = address;
        }
        client
    }
}

/// An address as proxies write it, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::new(&["127.0.0.1".to_owned(), "10.0.0.0/8".to_owned(), "fd00::/8".to_owned()]);
        let headers = forwarded
            .iter()
            .map(|line| (axum::http::HeaderName::from_static(FORWARDED_FOR), line.parse().unwrap()))
            .collect();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_a_client_has_written_itself_is_not_believed() {
        assert_eq!(client("127.0.0.1", &["203.0.113.5, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["203.0.113.5", "198.51.100.1, 10.1.1.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, nonsense, 10.1.1.1"]), "10.1.1.1");
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for written in ["2001:db8::1", "[2001:db8::1]:443", "[2001:db8::1]"] {
            assert_eq!(client("fd00::2", &[written]), "2001:db8::1");
        }
        assert_eq!(client("fd00::2", &["198.51.100.1:4711"]), "198.51.100.1");
    }
}
