//! What must hold of everything that reads what others wrote, whatever they wrote: clients, proxies, whoever makes a network, a
//! configuration, a pipeline or a key. One module a target, with a `check` that panics where it does not hold, and the seeds that
//! mutations begin with.
//!
//! `tests/mutations.rs` runs them with a fixed number of mutations, `cargo fuzz` with as many as there is time for. Of every
//! target both ask: no panic, memory by the input's size, a refusal that says something, and an accepted input that means the
//! same when it is written and read again.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a check fails by panicking")]

pub mod addresses;
pub mod classifier;
pub mod configuration;
pub mod jpeg;
pub mod keys_file;
mod mutation;
pub mod pipeline;
pub mod protocol_binary;
pub mod protocol_text;
pub mod proxy_protocol;
pub mod tflite;
pub mod token;

pub use mutation::Mutations;

/// A reader of what others wrote.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name for `cargo fuzz`, and that of its module.
    pub name: &'static str,
    /// Panics where something does not hold, and gives whether the input was accepted.
    pub check: fn(&[u8]) -> bool,
    /// Inputs of the right form, those of `../shared` where it is there.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What the format is made of.
    pub words: &'static [&'static [u8]],
}

macro_rules! targets {
    ($($name:ident),*) => {
        [$(Target { name: stringify!($name), check: $name::check, seeds: $name::seeds, words: $name::WORDS }),*]
    };
}

/// Every target.
pub const TARGETS: [Target; 11] = targets![
    addresses,
    classifier,
    configuration,
    jpeg,
    keys_file,
    pipeline,
    protocol_binary,
    protocol_text,
    proxy_protocol,
    tflite,
    token
];

/// The target of that name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"))
}

/// A refusal must say what is wrong.
fn assert_told(message: &str) {
    assert!(message.chars().any(char::is_alphabetic), "a refusal without words: {message:?}");
}

/// A line that a refusal names must be one of the text.
fn assert_line(line: usize, text: &str) {
    let lines = text.matches('\n').count() + 1;
    assert!((1..=lines).contains(&line), "line {line} of {lines} is named");
}
