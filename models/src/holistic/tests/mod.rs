//! What only the inside of the tracker shows, with the real networks: single stages, work done, state kept.

mod cancellation;
mod idle_slots;
mod looks;
mod runs;
mod stages;

use std::path::PathBuf;
use std::sync::Arc;

use reference::Clip;

use super::{FaceNetworks, HandNetworks, Networks, Parts, RgbFrame};
use crate::runtime::{Cancel, Network};

/// Also read by the tests from outside, `tests/holistic`.
#[path = "../../../tests/holistic/reference.rs"]
mod reference;

/// MediaPipe's Python solution steps its filters by this many microseconds a frame.
const FRAME_TIME: i64 = 33_333;

/// The folder of the fetched networks.
fn folder() -> PathBuf {
    dactyl_config::find_or_place(&dactyl_config::Config::builtin().models.directory)
}

fn networks() -> Networks {
    Networks::load(&folder(), Parts::ALL).expect("set-up fetches and imports the networks: run make test")
}

/// Networks of their own, so that no other test's runs are seen; `notify` gets a network's name whenever it begins to run.
fn observed(notify: impl Fn(&'static str, &Cancel) + Clone + Send + Sync + 'static) -> Networks {
    let network = |name: &'static str| {
        let network = Network::from_file(&folder().join(format!("{name}.onnx")))
            .expect("set-up fetches and imports the networks: run make test");
        let notify = notify.clone();
        network.observer.set(Box::new(move |cancel| notify(name, cancel)));
        Arc::new(network)
    };
    Networks {
        pose_detection: network("pose_detection"),
        pose_landmark: network("pose_landmark"),
        hands: Some(HandNetworks { recrop: network("hand_recrop"), landmark: network("hand_landmark") }),
        face: Some(FaceNetworks { detection: network("face_detection"), landmark: network("face_landmark") }),
    }
}

#[test]
fn a_frame_needs_all_its_pixels_but_no_more() {
    let data = [0; 20 + 15];
    assert!(RgbFrame::new(&data, 5, 2, 20).is_ok());
    assert!(RgbFrame::new(&data[..34], 5, 2, 20).is_err());
    assert!(RgbFrame::new(&data, 5, 2, 14).is_err());
    assert!(RgbFrame::new(&data, 0, 2, 20).is_err());
    assert!(RgbFrame::new(&data, 5, 0, 20).is_err());
    assert!(RgbFrame::new(&data, 5, u32::MAX, usize::MAX).is_err());
}
