//! The tracker with the real networks: against MediaPipe's landmarks on fixed frames, and on pictures without a person.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "figures and skips belong into the test's output")]

mod golden;
mod hands_alone;
mod pictures;
#[allow(dead_code, reason = "unit tests read more of a clip")]
mod reference;

use std::path::{Path, PathBuf};

use dactyl_holistic::{Instructions, LoadError, Networks, Options, Parts, Tracker};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models")
}

/// A tracker on the fetched networks.
fn tracker(parts: Parts) -> Tracker {
    let networks = Networks::load(&models(), parts).expect("set-up fetches the networks: run make test");
    Tracker::new(networks, Options::default())
}

/// A tracker on these networks, which run on these instructions.
fn tracker_on(instructions: Instructions, parts: Parts) -> Tracker {
    let read = |file: &str| {
        std::fs::read(models().join(file))
            .map_err(|error| LoadError::Read { file: file.to_owned(), cause: error.to_string() })
    };
    let networks = Networks::from_bytes_on(instructions, parts, read);
    Tracker::new(networks.expect("set-up fetches the networks: run make test"), Options::default())
}
