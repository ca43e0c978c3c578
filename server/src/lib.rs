//! Real-time fingerspelling server

mod admission;
mod agent;
mod app;
pub mod auth;
mod client_address;
mod connections;
mod denial;
pub mod descriptors;
mod drain;
mod handshake;
mod http;
mod ledger;
mod listen;
mod load;
pub mod log_output;
mod memory;
mod metrics;
mod models;
mod origin;
mod own_names;
mod page;
pub mod pipeline;
mod places;
pub mod protocol;
mod proxy_protocol;
mod readiness;
mod reload;
mod serve;
mod service;
mod session;
mod terms;
pub mod tls;
mod web_networks;

pub use drain::Ending;
pub use listen::{Listeners, Sockets};
pub use reload::Reloads;
pub use serve::{Listening, Server, register_elements};
pub use terms::WrongFile;

/// What reads keys and tokens, for `fuzz/` alone.
#[doc(hidden)]
pub mod credentials {
    pub use crate::auth::{is_taken, keys_in};
}

/// What reads the words of proxies, for `fuzz/` alone.
#[doc(hidden)]
pub mod proxies {
    pub use crate::client_address::Proxies;
    pub use crate::proxy_protocol::read as read_header;
}
