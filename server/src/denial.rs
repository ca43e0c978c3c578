//! Why a client is not let in.

/// Why a client is not let in; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// `server.max_connections` are open.
    Connections,
    /// One address has `server.max_connections_per_client` open.
    ConnectionsOfClient,
    /// The page is of an origin that is not allowed.
    Origin,
    /// The address asks for an extra, a pipeline or a parameter that there is not, or is no request for a WebSocket.
    Request,
    /// `server.max_sessions` are open.
    Full,
    /// The server is stopping.
    Stopping,
}

impl Denial {
    /// Every cause.
    pub const ALL: [Self; 6] = [
        Self::Connections,
        Self::ConnectionsOfClient,
        Self::Origin,
        Self::Request,
        Self::Full,
        Self::Stopping,
    ];

    /// The cause as it is written in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsOfClient => "connections_of_client",
            Self::Origin => "origin",
            Self::Request => "request",
            Self::Full => "full",
            Self::Stopping => "stopping",
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
