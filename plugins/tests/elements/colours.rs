//! From JPEG to the pixels that are analysed: how the pipelines that ship do it.

use std::path::Path;

use dactyl_fetch::hash_bytes;
use gst::prelude::*;
use gstdactyl::{caps, picture};

use crate::stream::init;

/// The last element in front of the tracker.
const UPRIGHT: &str = "videoflip video-direction=auto";

/// The elements from JPEG to `holistic-keypoints` of each pipeline that ships and takes pictures.
fn decoders() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("pipelines");
    let decoder = |launch: &str| {
        let (_, decoder) = launch.split_once("name=frames")?.1.split_once("jpegdec").unwrap();
        let (decoder, _) = decoder.split_once(UPRIGHT).unwrap();
        Some(format!("jpegdec{decoder}{UPRIGHT}"))
    };
    std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| decoder(&std::fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect()
}

/// The RGB pixels, row after row without gaps, that the tracker sees of what these elements give.
fn pixels(elements: &str) -> Vec<u8> {
    init();
    let launch = format!("{elements} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    sink.set_caps(Some(&caps::video()));
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    let frame = picture::map(sample.buffer().unwrap(), &info).unwrap();
    let mut converted = Vec::new();
    picture::rgb(&frame, &mut converted).unwrap().packed()
}

#[test]
fn the_pipelines_see_the_pixels_that_libjpeg_decodes() {
    let person =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("models/holistic/tests/drawn_person");
    let recorded = std::fs::read_to_string(person.join("odd.sha256")).unwrap();
    let decoders = decoders();
    assert!(!decoders.is_empty());
    for decoder in &decoders {
        assert_eq!(decoder, &decoders[0], "the pipelines see the same picture");
    }
    let pixels = pixels(&format!("filesrc location={} ! {}", person.join("odd.jpg").display(), decoders[0]));
    assert_eq!(hash_bytes(pixels), recorded.trim());
}

#[test]
fn a_grey_jpeg_is_grey() {
    let grey = "video/x-raw,format=GRAY8,width=64,height=48";
    let pixels = pixels(&format!(
        "videotestsrc pattern=solid-color foreground-color=0xff606060 num-buffers=1 ! {grey} ! jpegenc ! {}",
        decoders()[0]
    ));
    assert_eq!(pixels.len(), 64 * 48 * 3);
    let (pixels, _) = pixels.as_chunks::<3>();
    let grey = i32::from(pixels[0][0]);
    assert!((80..=112).contains(&grey), "{grey}");
    for pixel in pixels {
        assert!(pixel.iter().all(|level| i32::from(*level).abs_diff(grey) <= 1), "{pixel:?}");
    }
}
