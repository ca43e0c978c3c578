//! The program as its users run it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::print_stdout, reason = "what a command took belongs into the test's output")]

mod extract;
mod page;
mod privacy;
