//! The WebSocket protocol: every message, error code and close code. `server/asyncapi.yaml` describes it to those who
//! write clients, and a test holds the two together.
//!
//! A client sends a [`Request`] as JSON text, as a bare JPEG or as MessagePack. The server answers with feedback, with
//! errors, and with the [`Extras`] that the client asked for on the URL. Clients skip keys they do not know, so that a
//! server may say more; the server refuses keys it does not know, because they are typing errors.

mod answers;
mod base64;
mod close;
mod extras;
mod found;
mod landmarks;
mod refusal;
mod request;
#[cfg(test)]
mod tests;
mod words;

pub use answers::{Outcome, RESET_PAYLOAD, Timings, ended, feedback, landmarks, rate, status, top};
pub use close::Close;
pub use extras::{Extras, UnknownExtra};
pub use landmarks::Landmarks;
pub use refusal::{ErrorCode, Refusal};
pub use request::{Content, Request, is_bare_jpeg, read_binary, read_text};

/// Version of the protocol: the second number grows with what old clients may ignore, the first with anything else.
pub const VERSION: &str = "1.3";
/// WebSocket subprotocol that names the first number of [`VERSION`]. A client may ask for it; one that asks for none
/// gets the same messages.
pub const SUBPROTOCOL: &str = "dactyl.v1";
