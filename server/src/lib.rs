//! Real-time fingerspelling server

mod app;
mod http;
pub mod jpeg;
mod ledger;
mod metrics;
mod origin;
mod page;
pub mod pipeline;
pub mod protocol;
mod serve;
mod session;
pub mod tls;

pub use serve::{Server, register_elements, serve};
