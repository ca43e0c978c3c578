//! Why and how the server closes a socket.

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// No frame and no letter for too long.
    Idle,
    /// The server stops.
    ShuttingDown,
    /// The session is older than `server.max_session_age_s`.
    TooOld,
    /// Not the WebSocket protocol.
    ProtocolError,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Too many bad messages in a row.
    TooManyBadMessages,
    /// Neither a message nor an answer to pings.
    Silent,
    /// A message beyond the transport's limit: nothing after it can be read.
    TransportLimit,
    /// The pipeline cannot be kept running.
    Failed,
    /// Answers are not read.
    SlowClient,
    /// The key or the token that the session was opened with is not valid any more.
    KeyEnded,
}

impl Close {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Idle,
        Self::ShuttingDown,
        Self::TooOld,
        Self::ProtocolError,
        Self::NotUtf8,
        Self::TooManyBadMessages,
        Self::Silent,
        Self::TransportLimit,
        Self::Failed,
        Self::SlowClient,
        Self::KeyEnded,
    ];

    /// Close code of RFC 6455, section 7.4.1, and of IANA's registry for 1013 and 3000 (unauthorized).
    pub const fn code(self) -> u16 {
        match self {
            Self::Idle => 1000,
            Self::ShuttingDown | Self::TooOld => 1001,
            Self::ProtocolError => 1002,
            Self::NotUtf8 => 1007,
            Self::TooManyBadMessages | Self::Silent => 1008,
            Self::TransportLimit => 1009,
            Self::Failed => 1011,
            Self::SlowClient => 1013,
            Self::KeyEnded => 3000,
        }
    }

    /// Reason for a person, at most 123 bytes as RFC 6455 has it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "no frame and no letter for too long; connect again to go on",
            Self::ShuttingDown => "the server is shutting down",
            Self::TooOld => {
                "the session has lasted long enough; connect again, to another server if there is one"
            }
            Self::ProtocolError => "not the WebSocket protocol",
            Self::NotUtf8 => "text that is not UTF-8; send bytes as binary message",
            Self::TooManyBadMessages => "too many bad messages in a row; the errors before this say why",
            Self::Silent => "no message and no answer to pings for too long",
            Self::TransportLimit => "message beyond the transport's limit",
            Self::Failed => "the pipeline failed; connect again, and see the server's log",
            Self::SlowClient => {
                "answers were not read for too long; connect again when the network is better"
            }
            Self::KeyEnded => "the key or the token is not valid any more; connect again with a new one",
        }
    }
}
