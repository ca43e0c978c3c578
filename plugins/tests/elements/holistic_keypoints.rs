use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dactyl_holistic::keypoints::{self, Keypoints};
use gst::prelude::*;
use gstdactyl::caps::KeypointsInfo;
use gstdactyl::frame::{self, FrameRecord};
use gstdactyl::slots::{Slot, Slots};

use dactyl_tests::drawn_hand;
use dactyl_tests::recordings::shared;

use crate::pictures::{AVATAR, decode};
use crate::stream::{Stream, bus_of, gap, init, target};

const SIDE: i32 = 321;

fn video_caps(width: i32, height: i32) -> gst::Caps {
    init();
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::Rgb)
        .width(width)
        .height(height)
        .framerate(gst::Fraction::new(25, 1))
        .build()
}

/// A stream of square pictures that has begun.
fn open(properties: &str) -> Stream {
    let directory = dactyl_config::Config::builtin().models.directory;
    assert!(
        dactyl_config::find(&directory, dactyl_config::Kind::Directory).is_ok(),
        "no networks in {directory}: run make test"
    );
    let stream = Stream::begun(&format!("holistic-keypoints {properties}"), &video_caps(SIDE, SIDE));
    stream.output.lines();
    stream
}

/// A grey picture: nobody is there.
fn grey(width: usize, height: usize) -> gst::Buffer {
    gst::Buffer::from_mut_slice(vec![128; (width * 3).next_multiple_of(4) * height])
}

/// Says where the planes of a picture begin in its buffer, and how long their rows are.
fn lay_out(
    picture: &mut gst::Buffer,
    format: gst_video::VideoFormat,
    [width, height]: [u32; 2],
    offsets: &[usize],
    strides: &[i32],
) {
    let flags = gst_video::VideoFrameFlags::empty();
    let buffer = picture.make_mut();
    gst_video::VideoMeta::add_full(buffer, flags, format, width, height, offsets, strides).unwrap();
}

/// The first pictures of a person, all of this size, 40 ms apart.
fn person(count: u64, side: i32) -> Option<Vec<gst::Buffer>> {
    let folder = shared(AVATAR)?;
    let picture = |index| {
        let mut picture = decode(&folder.join(format!("{index:03}.png")), side, side);
        picture.make_mut().set_pts(gst::ClockTime::from_mseconds(index * 40));
        picture
    };
    Some((0..count).map(picture).collect())
}

fn push(stream: &mut Stream, pictures: &[gst::Buffer]) {
    for picture in pictures {
        assert_eq!(stream.harness.push(picture.clone()), Ok(gst::FlowSuccess::Ok));
    }
}

fn keypoints(stream: &Stream) -> Vec<Keypoints> {
    let buffers = stream.output.buffers();
    buffers.iter().map(|buffer| Keypoints::from_le_bytes(&buffer.map_readable().unwrap()).unwrap()).collect()
}

/// Bit for bit, since NaN differs from NaN.
fn bytes(keypoints: &Keypoints) -> Vec<u8> {
    let mut bytes = vec![0; keypoints::BYTES];
    keypoints.write_le_bytes(&mut bytes);
    bytes
}

/// What the last of these pictures shows to an element that has seen them all and nothing else.
fn last_of(pictures: &[gst::Buffer]) -> Vec<u8> {
    let mut stream = open("");
    push(&mut stream, pictures);
    bytes(keypoints(&stream).last().unwrap())
}

/// Takes every slot of the process, so that a frame has to wait.
pub fn all_slots() -> Vec<Slot<'static>> {
    std::iter::from_fn(|| Slots::shared().try_acquire()).collect()
}

#[test]
fn every_picture_becomes_one_buffer_of_keypoints() {
    let mut stream = open("");
    let mut picture = grey(321, 321);
    picture.make_mut().set_pts(gst::ClockTime::from_mseconds(40));
    push(&mut stream, &[picture]);
    let caps = stream.harness.sinkpad().unwrap().current_caps().unwrap();
    let framerate = gst::Fraction::new(25, 1);
    assert_eq!(KeypointsInfo::from_caps(&caps), Ok(KeypointsInfo { width: 321, height: 321, framerate }));
    let found = keypoints(&stream);
    assert_eq!(found.len(), 1);
    assert!(found[0].all().as_flattened().iter().all(|value| value.is_nan()), "nobody is there");
}

#[test]
fn a_person_is_seen() {
    let Some(pictures) = person(8, SIDE) else { return };
    let mut stream = open("");
    push(&mut stream, &pictures);
    let found = keypoints(&stream);
    let last = found.last().unwrap();
    assert!(last.is_present(keypoints::POSE) && last.is_present(keypoints::FACE));
    assert!(last.is_present(keypoints::LEFT_HAND) || last.is_present(keypoints::RIGHT_HAND));
    let nose = last.part(keypoints::POSE)[0];
    assert!((0.2..0.8).contains(&nose[0]) && (0.0..0.6).contains(&nose[1]), "{nose:?}");
}

#[test]
fn rows_may_be_padded_in_any_way() {
    let Some(pictures) = person(1, SIDE) else { return };
    let tight = pictures[0].map_readable().unwrap();
    let (row, height) = (321 * 3, 321);
    // As a decoder may hand it out: an offset, and rows of 1024 bytes whose padding is not black.
    let (offset, stride) = (64, 1024);
    let mut padded = vec![255; offset + stride * height];
    for y in 0..height {
        padded[offset + y * stride..][..row].copy_from_slice(&tight[y * row.next_multiple_of(4)..][..row]);
    }
    let mut picture = gst::Buffer::from_mut_slice(padded);
    lay_out(&mut picture, gst_video::VideoFormat::Rgb, [321, 321], &[offset], &[1024]);
    let mut stream = open("");
    push(&mut stream, &[picture]);
    let found = keypoints(&stream);
    assert!(found[0].is_present(keypoints::POSE));
    assert_eq!(bytes(&found[0]), last_of(&pictures));
}

#[test]
fn a_buffer_smaller_than_its_picture_is_counted_and_warned_of_and_becomes_a_gap() {
    let mut stream = open("");
    let bus = bus_of(&stream.harness.element().unwrap());
    stream.push(vec![0; 1000], 40);
    // The caps fit, but the meta's rows reach beyond the end.
    let mut lying = grey(321, 321);
    lying.make_mut().set_pts(gst::ClockTime::from_mseconds(80));
    lay_out(&mut lying, gst_video::VideoFormat::Rgb, [321, 321], &[0], &[964]);
    let mut short = lying.copy();
    short.make_mut().set_size(300_000);
    push(&mut stream, &[short, lying]);
    assert_eq!(stream.output.lines(), ["gap 40", "gap 80", "buffer 80"]);
    assert_eq!(stream.counter("bad-buffers"), 2);
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Warning]).count(), 2);
}

#[test]
fn a_plane_that_reaches_beyond_its_buffer_is_counted() {
    init();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("colorimetry", "1:4:0:0")
        .field("width", 64)
        .field("height", 48)
        .field("framerate", gst::Fraction::new(25, 1))
        .build();
    let mut stream = Stream::begun("holistic-keypoints parts=pose", &caps);
    stream.output.lines();
    let (brightness, colour) = (64 * 48, 32 * 24);
    let mut picture = gst::Buffer::from_mut_slice(vec![128; brightness + 2 * colour]);
    picture.make_mut().set_pts(gst::ClockTime::from_mseconds(40));
    for (offset, line) in [(brightness + colour, "buffer 40"), (brightness + colour + 1, "gap 40")] {
        let mut picture = picture.copy();
        let offsets = [0, brightness, offset];
        lay_out(&mut picture, gst_video::VideoFormat::I420, [64, 48], &offsets, &[64, 32, 32]);
        push(&mut stream, &[picture]);
        assert_eq!(stream.output.lines(), [line]);
    }
    assert_eq!(stream.counter("bad-buffers"), 1);
}

#[test]
fn an_emergency_reset_keeps_the_tracker_and_a_seek_clears_it() {
    let Some(pictures) = person(6, SIDE) else { return };
    let uninterrupted = last_of(&pictures);
    let afresh = last_of(&pictures[5..]);
    assert_ne!(uninterrupted, afresh, "these pictures tell a tracker from a detector");
    for (reset_time, expected) in [(false, uninterrupted), (true, afresh)] {
        let mut stream = open("");
        push(&mut stream, &pictures[..5]);
        stream.flush(reset_time);
        push(&mut stream, &pictures[5..]);
        assert_eq!(bytes(keypoints(&stream).last().unwrap()), expected, "reset_time={reset_time}");
    }
}

#[test]
fn caps_without_a_frame_keep_the_tracker() {
    let Some(pictures) = person(6, SIDE) else { return };
    let mut stream = open("");
    push(&mut stream, &pictures[..5]);
    // What a decoder sends when a GAP comes before its first picture.
    stream.harness.push_event(gst::event::Caps::new(&video_caps(320, 240)));
    stream.harness.push_event(gap(180));
    stream.harness.push_event(gst::event::Caps::new(&video_caps(SIDE, SIDE)));
    push(&mut stream, &pictures[5..]);
    assert_eq!(bytes(keypoints(&stream).last().unwrap()), last_of(&pictures));
}

#[test]
fn a_frame_of_another_size_and_a_new_stream_clear_the_tracker() {
    let Some(pictures) = person(6, SIDE) else { return };
    let Some(small) = person(1, 300) else { return };
    let afresh = last_of(&pictures[5..]);
    let mut stream = open("");
    push(&mut stream, &pictures[..5]);
    stream.harness.push_event(gst::event::Caps::new(&video_caps(300, 300)));
    push(&mut stream, &small);
    stream.harness.push_event(gst::event::Caps::new(&video_caps(SIDE, SIDE)));
    push(&mut stream, &pictures[5..]);
    assert_eq!(bytes(keypoints(&stream).last().unwrap()), afresh);

    let mut stream = open("");
    push(&mut stream, &pictures[..5]);
    stream.harness.push_event(gst::event::StreamStart::new("another"));
    stream.harness.push_event(gst::event::Caps::new(&video_caps(SIDE, SIDE)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    stream.harness.push_event(gst::event::Segment::new(&segment));
    push(&mut stream, &pictures[5..]);
    assert_eq!(bytes(keypoints(&stream).last().unwrap()), afresh);
}

#[test]
fn a_flush_removes_a_frame_that_waits_and_leaves_the_tracker_as_it_was() {
    let Some(pictures) = person(6, SIDE) else { return };
    let mut stream = open("");
    let bus = bus_of(&stream.harness.element().unwrap());
    push(&mut stream, &pictures[..5]);
    let slots = all_slots();
    let pad = stream.harness.srcpad().unwrap();
    let picture = pictures[5].clone();
    let waiting = thread::spawn(move || pad.push(picture));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished(), "every slot is taken");
    let begin = Instant::now();
    assert!(stream.harness.push_event(gst::event::FlushStart::new()));
    assert_eq!(waiting.join().unwrap(), Err(gst::FlowError::Flushing));
    assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
    drop(slots);
    assert!(stream.harness.push_event(gst::event::FlushStop::new(false)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    stream.harness.push_event(gst::event::Segment::new(&segment));
    stream.output.lines();
    push(&mut stream, &pictures[5..]);
    assert_eq!(bytes(keypoints(&stream).last().unwrap()), last_of(&pictures));
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]).count(), 0);
}

#[test]
fn a_flush_ends_the_run_in_flight() {
    let Some(pictures) = person(6, SIDE) else { return };
    let mut stream = open("");
    let bus = bus_of(&stream.harness.element().unwrap());
    push(&mut stream, &pictures);
    let mut cancelled = 0;
    for round in 0..40 {
        let pad = stream.harness.srcpad().unwrap();
        let mut picture = pictures[round % pictures.len()].clone();
        picture.make_mut().set_pts(gst::ClockTime::from_mseconds(u64::try_from(round).unwrap() * 40 + 1000));
        let running = thread::spawn(move || {
            let _streaming = pad.stream_lock();
            pad.push(picture)
        });
        thread::sleep(Duration::from_millis(u64::try_from(round % 10).unwrap()));
        let begin = Instant::now();
        stream.flush(false);
        // FLUSH_STOP waits for the streaming thread: a run that was not ended would take tens of milliseconds.
        let flushed = begin.elapsed();
        match running.join().unwrap() {
            Err(gst::FlowError::Flushing) => cancelled += 1,
            Ok(_) => (),
            Err(error) => panic!("{error}"),
        }
        assert!(flushed < Duration::from_secs(1), "{flushed:?}");
    }
    assert!(cancelled >= 10, "only {cancelled} of 40 frames were caught in flight");
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]).count(), 0);
    stream.output.lines();
    push(&mut stream, &pictures[..1]);
    assert_eq!(keypoints(&stream).len(), 1);
}

#[test]
fn stopping_does_not_wait_for_a_slot() {
    let stream = open("");
    let slots = all_slots();
    let pad = stream.harness.srcpad().unwrap();
    let waiting = thread::spawn(move || pad.push(grey(321, 321)));
    thread::sleep(Duration::from_millis(50));
    let begin = Instant::now();
    let element = stream.harness.element().unwrap();
    element.set_state(gst::State::Ready).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(waiting.join().unwrap(), Err(gst::FlowError::Flushing));
    drop(slots);
    element.set_state(gst::State::Playing).unwrap();
}

#[test]
fn a_flush_in_paused_and_one_after_eos_let_the_stream_go_on() {
    let mut stream = open("parts=pose");
    let element = stream.harness.element().unwrap();
    element.set_state(gst::State::Paused).unwrap();
    stream.reset(Some("A"), 1, 0);
    element.set_state(gst::State::Playing).unwrap();
    push(&mut stream, &[grey(321, 321)]);
    stream.harness.push_event(gst::event::Eos::new());
    assert_eq!(
        stream.output.lines(),
        ["flush-start", "flush-stop", "segment", "letter-target", "gap 0", "buffer none", "eos"]
    );
    stream.flush(true);
    push(&mut stream, &[grey(321, 321)]);
    assert_eq!(stream.output.buffers().len(), 1);
}

#[test]
fn gaps_and_targets_pass_in_order() {
    let mut stream = open("parts=pose");
    stream.harness.push_event(gap(40));
    stream.harness.push_event(target(Some("A"), 1));
    push(&mut stream, &[grey(321, 321)]);
    assert_eq!(stream.output.lines(), ["gap 40", "letter-target", "buffer none"]);
}

#[test]
fn parts_left_out_are_absent() {
    let Some(pictures) = person(3, SIDE) else { return };
    let mut stream = open("parts=pose+hands");
    push(&mut stream, &pictures);
    let found = keypoints(&stream);
    let last = found.last().unwrap();
    assert!(last.is_present(keypoints::POSE) && !last.is_present(keypoints::FACE));
}

/// The message and the keypoints of the last of some pictures of a drawn hand and nobody.
fn of_drawn_hand(properties: &str) -> (gst::Structure, Keypoints) {
    let (width, height) = (drawn_hand::WIDTH, drawn_hand::HEIGHT);
    let caps = video_caps(i32::try_from(width).unwrap(), i32::try_from(height).unwrap());
    let launch = format!("holistic-keypoints post-messages=true {properties}");
    let mut stream = Stream::begun(&launch, &caps);
    let bus = bus_of(&stream.harness.element().unwrap());
    for index in 0..4 {
        // GStreamer pads rows to four bytes.
        let stride = (width * 3).next_multiple_of(4);
        let mut padded = vec![0; stride * height];
        for (row, pixels) in
            padded.chunks_exact_mut(stride).zip(drawn_hand::pixels(index).chunks_exact(width * 3))
        {
            row[..width * 3].copy_from_slice(pixels);
        }
        push(&mut stream, &[gst::Buffer::from_mut_slice(padded)]);
    }
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
    let last = messages.last().unwrap().structure().unwrap().to_owned();
    (last, keypoints(&stream).pop().unwrap())
}

#[test]
fn a_hand_is_found_without_a_body_and_the_message_says_so() {
    let (message, found) = of_drawn_hand("");
    assert!(found.is_present(keypoints::RIGHT_HAND) && !found.is_present(keypoints::LEFT_HAND));
    assert!(!found.is_present(keypoints::POSE) && !found.is_present(keypoints::FACE));
    assert_eq!((message.get("pose"), message.get("right-hand")), (Ok(false), Ok(true)));
    assert_eq!(message.get("hand-alone"), Ok(true));
}

#[test]
fn without_hands_alone_a_hand_needs_a_body() {
    let (message, found) = of_drawn_hand("hands-alone=false");
    assert!(found.all().iter().all(|landmark| landmark[0].is_nan()));
    assert_eq!((message.get("right-hand"), message.get("hand-alone")), (Ok(false), Ok(false)));
}

#[test]
fn the_fixed_clock_ignores_the_time_of_frames() {
    let Some(pictures) = person(4, SIDE) else { return };
    let slow: Vec<_> = pictures
        .iter()
        .map(|picture| {
            let mut picture = picture.copy();
            let pts = picture.pts().unwrap() * 20;
            picture.make_mut().set_pts(pts);
            picture
        })
        .collect();
    let last = |properties: &str, pictures: &[gst::Buffer]| {
        let mut stream = open(properties);
        push(&mut stream, pictures);
        bytes(keypoints(&stream).last().unwrap())
    };
    assert_eq!(last("clock=fixed", &pictures), last("clock=fixed", &slow));
    assert_ne!(last("clock=pts", &pictures), last("clock=pts", &slow));
}

#[test]
fn thresholds_change_while_playing() {
    let Some(pictures) = person(2, SIDE) else { return };
    let mut stream = open("min-detection-confidence=1.0");
    let element = stream.harness.element().unwrap();
    push(&mut stream, &pictures[..1]);
    element.set_property("min-detection-confidence", 0.5f32);
    push(&mut stream, &pictures[1..]);
    let found = keypoints(&stream);
    assert!(!found[0].is_present(keypoints::POSE), "no detection is that sure");
    assert!(found[1].is_present(keypoints::POSE));
}

#[test]
fn properties_read_back_and_default_to_the_configuration() {
    init();
    let element = gst::ElementFactory::make("holistic-keypoints").build().unwrap();
    let config = dactyl_config::Config::builtin();
    assert_eq!(element.property::<String>("models"), config.models.directory);
    assert_eq!(element.property::<f32>("min-tracking-confidence"), config.holistic.min_tracking_confidence);
    assert_eq!(element.property::<bool>("post-messages"), config.holistic.post_messages);
    assert_eq!(parts(&element), "pose+hands+face");
    element.set_property_from_str("parts", "hands+pose");
    assert_eq!(parts(&element), "pose+hands");
    assert_eq!(element.property::<bool>("hands-alone"), config.holistic.hands_alone);
    let texts =
        [("models", "elsewhere"), ("clock", "fixed"), ("post-messages", "true"), ("hands-alone", "false")];
    for (name, text) in texts {
        element.set_property_from_str(name, text);
        assert_eq!(element.property_value(name).serialize().unwrap(), text);
    }
}

fn parts(element: &gst::Element) -> String {
    let value = element.property_value("parts");
    let (_, values) = gst::glib::FlagsValue::from_value(&value).unwrap();
    values.iter().map(|value| value.nick()).collect::<Vec<_>>().join("+")
}

/// C has a text that is no text, which a program may set.
#[test]
fn a_null_path_is_an_empty_one() {
    init();
    let element = gst::ElementFactory::make("holistic-keypoints").build().unwrap();
    element.set_property("models", None::<&str>);
    assert_eq!(element.property::<String>("models"), "");
}

#[test]
fn what_cannot_start_says_why() {
    init();
    for (properties, expected) in [
        ("models=/no/such/folder", "/no/such/folder"),
        ("parts=hands", "lacks \"pose\""),
        ("models=/usr", "pose_detection"),
    ] {
        let element = gst::parse::launch(&format!("holistic-keypoints {properties}")).unwrap();
        let bus = bus_of(&element);
        assert!(element.set_state(gst::State::Ready).is_err());
        let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = message.view() else { panic!("filtered") };
        assert!(error.error().message().contains(expected), "{}", error.error());
    }
}

#[test]
fn other_formats_do_not_link() {
    init();
    for launch in [
        "videotestsrc ! video/x-raw,format=BGR ! holistic-keypoints ! fakesink",
        "videotestsrc ! video/x-raw,format=I420,colorimetry=bt709 ! holistic-keypoints ! fakesink",
        "audiotestsrc ! holistic-keypoints ! fakesink",
        "holistic-keypoints ! temporal-smoother ! fakesink",
    ] {
        let error = gst::parse::launch(launch).unwrap_err();
        assert!(error.to_string().contains("could not link"), "{error}");
    }
}

#[test]
fn decoders_may_pad_rows() {
    let stream = open("parts=pose");
    let mut query = gst::query::Allocation::new(Some(&video_caps(SIDE, SIDE)), true);
    let sink = stream.harness.srcpad().unwrap().peer().unwrap();
    assert!(sink.query(&mut query));
    let metas: Vec<_> = query.allocation_metas().map(|(api, _)| api.name().to_owned()).collect();
    assert!(metas.iter().any(|name| name.contains("GstVideoMeta")), "{metas:?}");
}

#[test]
fn the_frame_survives_with_the_time_it_took() {
    let mut stream = open("parts=pose");
    let record = FrameRecord::new(3, 1, |_| {});
    let mut picture = grey(321, 321);
    frame::attach(picture.make_mut(), &record);
    picture.make_mut().set_duration(gst::ClockTime::from_mseconds(40));
    push(&mut stream, &[picture]);
    let result = &stream.output.buffers()[0];
    assert!(Arc::ptr_eq(&frame::of(result).unwrap(), &record));
    assert_eq!(result.duration(), Some(gst::ClockTime::from_mseconds(40)));
    let stages: Vec<_> = record.stages().iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, ["inference-slot", "holistic-keypoints"]);
}

#[test]
fn messages_tell_what_was_seen() {
    let Some(pictures) = person(1, SIDE) else { return };
    let mut stream = open("post-messages=true");
    let bus = bus_of(&stream.harness.element().unwrap());
    push(&mut stream, &pictures);
    let message = bus.pop_filtered(&[gst::MessageType::Element]).unwrap();
    let message = message.structure().unwrap();
    assert_eq!(message.name(), "holistic-keypoints");
    assert_eq!(message.get::<bool>("pose"), Ok(true));
    assert!(message.has_field("left-hand") && message.has_field("right-hand") && message.has_field("face"));
    assert_eq!(message.get("hand-alone"), Ok(false));
    let landmarks = message.get::<gst::glib::Bytes>("landmarks").unwrap();
    assert_eq!(bytes(&keypoints(&stream)[0]), landmarks.as_ref());
}
