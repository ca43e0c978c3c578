//! Pictures of a person, from the data beside the repository.

use std::path::{Path, PathBuf};

use gst::prelude::*;

use crate::stream::init;

/// Golden frames of a person whose hands come and go.
pub const AVATAR: &str = "golden/avatar";

/// A folder of the data beside the repository. `None`, with a line about it, where there is none and none is required.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shared = std::env::var_os("DACTYL_SHARED")
        .map_or_else(|| root.parent().unwrap().join("shared"), PathBuf::from);
    let path = shared.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("DACTYL_REQUIRE_SHARED").is_none_or(|value| value != "1"),
        "no {}, and DACTYL_REQUIRE_SHARED=1",
        path.display()
    );
    println!("skipped: no ../shared");
    None
}

/// Decodes a PNG to RGB of this size, as GStreamer lays it out: rows padded to four bytes.
pub fn decode(path: &Path, width: i32, height: i32) -> gst::Buffer {
    init();
    let launch = format!(
        "filesrc location={} ! pngdec ! videoconvert ! videoscale ! video/x-raw,format=RGB,width={width},height={height} ! appsink name=out sync=false",
        path.display()
    );
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    let pixels = sample.buffer().unwrap().map_readable().unwrap().to_vec();
    gst::Buffer::from_mut_slice(pixels)
}
