//! The tracker with the real networks: against MediaPipe's landmarks on fixed frames, and on pictures without a person.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "figures and skips belong into the test's output")]

mod golden;
mod pictures;
#[allow(dead_code, reason = "unit tests read more of a clip")]
mod reference;

use std::path::Path;

use dactyl_holistic::{Networks, Options, Parts, Tracker};

/// A tracker on the fetched networks.
fn tracker(parts: Parts) -> Tracker {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
    let networks = Networks::load(&models, parts).expect("set-up fetches the networks: run make test");
    Tracker::new(networks, Options::default())
}
