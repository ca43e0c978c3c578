//! Real-time fingerspelling server

pub mod jpeg;
pub mod protocol;
