//! Why a client is not let in.

/// Why a client is not let in; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// `server.max_connections` are open.
    Connections,
    /// One address has `server.max_connections_per_client` open.
    ConnectionsOfClient,
    /// A trusted proxy sends no header of the PROXY protocol, although `server.proxy_protocol` says so.
    ProxyHeader,
    /// The page is of an origin that is not allowed.
    Origin,
    /// The client shows no key and no token, or one that is not taken.
    Key,
    /// The address asks for an extra, a pipeline or a parameter that there is not, or is no request for a WebSocket.
    Request,
    /// `server.max_sessions` are open.
    Full,
    /// One client has as many open as its key, its token or `server.max_sessions_per_client` allows.
    SessionsOfClient,
    /// The server drains or stops.
    Stopping,
}

impl Denial {
    /// Every cause.
    pub const ALL: [Self; 9] = [
        Self::Connections,
        Self::ConnectionsOfClient,
        Self::ProxyHeader,
        Self::Origin,
        Self::Key,
        Self::Request,
        Self::Full,
        Self::SessionsOfClient,
        Self::Stopping,
    ];

    /// The cause as it is written in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsOfClient => "connections_of_client",
            Self::ProxyHeader => "proxy_header",
            Self::Origin => "origin",
            Self::Key => "key",
            Self::Request => "request",
            Self::Full => "full",
            Self::SessionsOfClient => "sessions_of_client",
            Self::Stopping => "stopping",
        }
    }

    /// The cause in words, with the key of the configuration that an operator may change.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Connections => {
                "all connections are taken (server.max_connections, or the 64 of admin.listen)"
            }
            Self::ConnectionsOfClient => {
                "this address has as many connections as it may have (server.max_connections_per_client)"
            }
            Self::ProxyHeader => {
                "this proxy sends no header of the PROXY protocol; let it (HAProxy: send-proxy-v2), or unset \
                 server.proxy_protocol"
            }
            Self::Origin => {
                "this page may not open a WebSocket here; add its origin to server.allowed_origins, or the name of this \
                 server, if that is what it is, to server.names"
            }
            Self::Key => "it has no key or token that is taken here (auth.keys_file, auth.jwt_key_file)",
            Self::Request => "the address asks for what there is not",
            Self::Full => "all sessions are taken (server.max_sessions)",
            Self::SessionsOfClient => {
                "this key or address has as many sessions as it may have (max_sessions of the key or token, \
                 server.max_sessions_per_client)"
            }
            Self::Stopping => "the server is stopping; connect again, to another one if there is one",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_place_and_label() {
        for (place, denial) in Denial::ALL.into_iter().enumerate() {
            assert_eq!(denial as usize, place);
        }
        let labels: std::collections::BTreeSet<_> = Denial::ALL.map(Denial::as_str).into();
        assert_eq!(labels.len(), Denial::ALL.len());
    }
}
