//! From JPEG to RGB: how the pipelines that ship do it.

use std::path::Path;

use gst::prelude::*;

use crate::stream::init;

const WIDTH: usize = 128;
const HEIGHT: usize = 64;

/// The elements from JPEG to RGB of each pipeline that ships.
fn decoders() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("pipelines");
    let decoder = |launch: &str| {
        let (_, decoder) = launch.split_once("jpegdec").unwrap();
        let (decoder, _) = decoder.split_once("format=RGB").unwrap();
        format!("jpegdec{decoder}format=RGB")
    };
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| decoder(&std::fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect()
}

/// RGB of a JPEG of even brightness whose red rises by one step in every second column, as far as JPEG can say: it holds
/// one colour for 2 x 2 pixels.
fn decode_red_ramp(decoder: &str) -> Vec<u8> {
    init();
    let launch = format!(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=1/1
         ! jpegenc quality=100 ! {decoder} ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source: gst_app::AppSrc = pipeline.by_name("in").unwrap().downcast().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    let mut picture = vec![128; WIDTH * HEIGHT + WIDTH * HEIGHT / 4];
    for _ in 0..HEIGHT / 2 {
        picture.extend((0..WIDTH / 2).map(|column| 64 + 2 * column as u8));
    }
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut buffer = gst::Buffer::from_mut_slice(picture);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    source.push_buffer(buffer).unwrap();
    source.end_of_stream().unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    sample.buffer().unwrap().map_readable().unwrap().to_vec()
}

/// Share of neighbours with one colour in the JPEG that have one colour in the picture too.
fn blocky(decoder: &str) -> f64 {
    let rgb = decode_red_ramp(decoder);
    assert_eq!(rgb.len(), WIDTH * HEIGHT * 3);
    let (pairs, _) = rgb.as_chunks::<6>();
    pairs.iter().filter(|pair| pair[0] == pair[3]).count() as f64 / pairs.len() as f64
}

#[test]
fn the_pipelines_interpolate_colours_as_libjpeg_does() {
    let decoders = decoders();
    assert!(!decoders.is_empty());
    for decoder in &decoders {
        assert_eq!(decoder, &decoders[0], "the pipelines see the same picture");
    }
    assert!(blocky(&decoders[0]) < 0.1, "{}", decoders[0]);
    // What the properties are there to avoid; if this fails, videoconvert no longer needs them.
    assert!(blocky("jpegdec ! videoconvert ! video/x-raw,format=RGB") > 0.9);
}
