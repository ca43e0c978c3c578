#![doc = include_str!("../README.md")]

#[cfg(target_arch = "wasm32")]
mod exports;
mod session;

pub use session::{Session, SessionError};
