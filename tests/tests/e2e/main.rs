//! End-to-end tests: a real server on a free port, real WebSocket clients, the real networks.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "skips belong into the test's output")]

mod client;
mod connections;
mod fleet;
mod garbage;
mod hands_alone;
mod handshake;
mod keys;
mod landmarks;
mod ledger;
mod limits;
mod orientation;
mod own_model;
mod page;
mod pictures;
mod pipelines;
mod protocol;
mod reload;
mod resets;
mod server;
