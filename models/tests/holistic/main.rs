//! The tracker with the real networks: against MediaPipe's landmarks on fixed frames, and on pictures without a person.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "figures and skips belong into the test's output")]

mod golden;
mod pictures;
mod quantized;
#[allow(dead_code, reason = "unit tests read more of a clip")]
mod reference;

use dactyl_models::holistic::{Networks, Options, Parts, Tracker};

/// A tracker on the fetched networks.
fn tracker(parts: Parts) -> Tracker {
    let models = dactyl_config::find_or_place(&dactyl_config::Config::builtin().models.directory);
    let networks =
        Networks::load(&models, parts).expect("set-up fetches and imports the networks: run make test");
    Tracker::new(networks, Options::default())
}
