//! Pictures of a person, from the data beside the repository.

use std::path::Path;

use gst::prelude::*;

use crate::stream::init;

/// Golden frames of a person whose hands come and go.
pub const AVATAR: &str = "golden/avatar";

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
