//! Real-time fingerspelling server

mod admission;
mod app;
mod connections;
mod denial;
pub mod descriptors;
mod http;
mod ledger;
mod memory;
mod metrics;
mod models;
mod origin;
mod page;
pub mod pipeline;
mod places;
pub mod protocol;
mod serve;
mod session;
pub mod tls;

pub use serve::{Server, register_elements, serve};
