//! Real-time fingerspelling server

mod http;
pub mod jpeg;
mod ledger;
mod metrics;
mod origin;
pub mod pipeline_file;
mod prepare;
pub mod protocol;
mod serve;
mod session;

pub use serve::{Server, register_elements, serve};
