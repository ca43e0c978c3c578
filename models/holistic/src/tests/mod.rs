//! What only the inside of the tracker shows, with the real networks: single stages, work done, state kept.

mod cancellation;
mod idle_threads;
mod looks;
mod runs;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reference::Clip;

use dactyl_kernels::Cancel;

use crate::frame::RgbFrame;
use crate::networks::{NamedNetwork, Networks, Parts};

/// Also read by the tests from outside, `tests/tracker`.
#[path = "../../tests/tracker/reference.rs"]
#[allow(dead_code, reason = "the tests from outside read more of a clip")]
mod reference;

/// MediaPipe's Python solution steps its filters by this many microseconds a frame.
const FRAME_TIME: i64 = 33_333;

/// The folder of the fetched models.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models")
}

fn networks() -> Networks {
    Networks::load(&folder(), Parts::ALL).expect("set-up fetches the networks: run make test")
}

/// Networks of their own, so that no other test's runs are seen; `notify` gets a network's name whenever it begins to run.
fn observed(
    parts: Parts,
    notify: impl Fn(&'static str, &Cancel) + Clone + Send + Sync + 'static,
) -> Networks {
    Networks::assemble(parts, |model| {
        let bytes =
            std::fs::read(folder().join(model.file())).expect("set-up fetches the networks: run make test");
        let network: NamedNetwork = model.parse(&bytes)?;
        let (notify, name) = (notify.clone(), network.name());
        network.observer.set(Box::new(move |cancel| notify(name, cancel)));
        Ok(Arc::new(network))
    })
    .expect("the processor runs them")
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
