//! The WebSocket protocol: every message, error code and close code. `server/asyncapi.yaml` describes it to those who
//! write clients, and a test holds the two together.
//!
//! A client sends a [`Request`] as JSON text, as a bare JPEG or as MessagePack. The server answers with feedback, with
//! errors, and with the [`Extras`] that the client asked for on the URL. Clients skip keys they do not know, so that a
//! server may say more; the server refuses keys it does not know, because they are typing errors.

mod answers;
mod extras;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

pub use answers::{Outcome, RESET_PAYLOAD, Timings, ended, feedback, landmarks, rate, status, top};
pub use extras::{Extras, UnknownExtra};
pub use refusal::{ErrorCode, Refusal};
pub use request::{Request, is_bare_jpeg, read_binary, read_text};

/// Version of the protocol: the second number grows with what old clients may ignore, the first with anything else.
pub const VERSION: &str = "1.1";
/// WebSocket subprotocol that names the first number of [`VERSION`]. A client may ask for it; one that asks for none
/// gets the same messages.
pub const SUBPROTOCOL: &str = "dactyl.v1";

/// The key of a frame in a client's message.
const JPEG_BLOB: &str = "jpeg_blob";
/// The key of a letter in a client's message.
const NEW_LETTER: &str = "new_letter";

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// No frame and no letter for too long.
    Idle,
    /// The server stops.
    ShuttingDown,
    /// Not the WebSocket protocol.
    ProtocolError,
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
}

impl Close {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::ShuttingDown,
        Self::ProtocolError,
        Self::TooManyBadMessages,
        Self::Silent,
        Self::TransportLimit,
        Self::Failed,
        Self::SlowClient,
    ];

    /// Close code of RFC 6455, section 7.4.1, and of IANA's registry for 1013.
    pub const fn code(self) -> u16 {
        match self {
            Self::Idle => 1000,
            Self::ShuttingDown => 1001,
            Self::ProtocolError => 1002,
            Self::TooManyBadMessages | Self::Silent => 1008,
            Self::TransportLimit => 1009,
            Self::Failed => 1011,
            Self::SlowClient => 1013,
        }
    }

    /// Reason for a person, at most 123 bytes as RFC 6455 has it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "no frame and no letter for too long; connect again to go on",
            Self::ShuttingDown => "the server is shutting down",
            Self::ProtocolError => "not the WebSocket protocol",
            Self::TooManyBadMessages => "too many bad messages in a row; the errors before this say why",
            Self::Silent => "no message and no answer to pings for too long",
            Self::TransportLimit => "message beyond the transport's limit",
            Self::Failed => "the pipeline failed; connect again, and see the server's log",
            Self::SlowClient => {
                "answers were not read for too long; connect again when the network is better"
            }
        }
    }
}

/// At most `most` characters of `text`, marked where cut: what is sent back must not grow with what came.
fn brief(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
