//! Networks, as `server.trusted_proxies` lists them.

use std::net::IpAddr;

use ipnet::IpNet;

/// The network that a text names: `10.0.0.0/8`, `fd00::/8`, or one address. `None` for anything else.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| address.into()))
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn networks_and_single_addresses_are_read() {
        for text in ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "::1"] {
            assert!(network(text).is_some(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0", "proxy.example.org", "*"] {
            assert!(network(text).is_none(), "{text}");
        }
    }
}
