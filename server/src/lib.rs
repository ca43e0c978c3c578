//! Real-time fingerspelling server

mod http;
pub mod jpeg;
mod ledger;
mod metrics;
mod origin;
mod page;
pub mod pipeline_file;
mod prepare;
pub mod protocol;
mod serve;
mod session;
pub mod tls;

pub use serve::{Server, register_elements, serve};
