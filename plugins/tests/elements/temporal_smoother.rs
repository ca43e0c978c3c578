use std::sync::Arc;

use gst::prelude::*;
use gstdactyl::caps::ClassProbabilitiesInfo;
use gstdactyl::frame::{self, FrameRecord};

use crate::stream::{Stream, buffer, bus_of, gap, labels, target};

fn values(buffers: &[gst::Buffer]) -> Vec<Vec<f32>> {
    let read = |buffer: &gst::Buffer| {
        let bytes = buffer.map_readable().unwrap();
        bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
    };
    buffers.iter().map(read).collect()
}

#[test]
fn distributions_are_averaged_over_the_history() {
    let mut stream = Stream::begun("temporal-smoother history=2", &labels(&["A", "B"]));
    stream.push_distribution(&[1.0, 0.0], 0);
    stream.push_distribution(&[0.0, 1.0], 40);
    stream.push_distribution(&[0.0, 0.5], 80);
    assert_eq!(values(&stream.output.buffers()), [[1.0, 0.0], [0.5, 0.5], [0.0, 0.75]]);
}

#[test]
fn caps_pass_unchanged_and_ahead_of_the_data() {
    let caps = labels(&["A", "B"]);
    let mut stream = Stream::begun("temporal-smoother", &caps);
    stream.push_distribution(&[1.0, 0.0], 7);
    assert_eq!(stream.output.lines(), ["stream-start", "caps", "segment", "buffer 7"]);
    assert_eq!(stream.harness.sinkpad().unwrap().current_caps(), Some(caps));
}

#[test]
fn a_flush_forgets_the_history() {
    for reset_time in [false, true] {
        let mut stream = Stream::begun("temporal-smoother", &labels(&["A"]));
        stream.push_distribution(&[1.0], 0);
        stream.flush(reset_time);
        stream.output.lines();
        stream.push_distribution(&[0.25], 40);
        assert_eq!(values(&stream.output.buffers()), [[0.25]]);
    }
}

#[test]
fn other_labels_forget_the_history_and_the_same_ones_do_not() {
    let mut stream = Stream::begun("temporal-smoother", &labels(&["A", "B"]));
    stream.push_distribution(&[1.0, 0.0], 0);
    stream.harness.push_event(gst::event::Caps::new(&labels(&["A", "B"])));
    stream.push_distribution(&[0.0, 1.0], 40);
    stream.harness.push_event(gst::event::Caps::new(&labels(&["C", "D"])));
    stream.push_distribution(&[0.25, 0.75], 80);
    assert_eq!(values(&stream.output.buffers()), [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]);
}

#[test]
fn the_history_changes_while_playing_and_reads_back() {
    let mut stream = Stream::begun("temporal-smoother history=4", &labels(&["A"]));
    let element = stream.harness.element().unwrap();
    assert_eq!(element.property::<u32>("history"), 4);
    stream.push_distribution(&[1.0], 0);
    stream.push_distribution(&[0.5], 40);
    element.set_property("history", 1u32);
    assert_eq!(element.property::<u32>("history"), 1);
    stream.push_distribution(&[0.25], 80);
    assert_eq!(values(&stream.output.buffers()), [[1.0], [0.75], [0.25]]);
}

#[test]
fn the_default_history_is_the_configured_one() {
    let stream = Stream::new("temporal-smoother");
    let history: u32 = stream.harness.element().unwrap().property("history");
    assert_eq!(history, dactyl_config::Config::builtin().smoothing.history);
}

#[test]
fn gaps_targets_and_eos_pass_in_order() {
    let mut stream = Stream::begun("temporal-smoother", &labels(&["A"]));
    stream.output.lines();
    stream.push_distribution(&[1.0], 0);
    stream.harness.push_event(gap(40));
    stream.harness.push_event(target(Some("A"), 1));
    stream.push_distribution(&[1.0], 80);
    stream.harness.push_event(gst::event::Eos::new());
    assert_eq!(stream.output.lines(), ["buffer 0", "gap 40", "letter-target", "buffer 80", "eos"]);
}

#[test]
fn a_flush_after_eos_lets_the_stream_go_on() {
    let mut stream = Stream::begun("temporal-smoother", &labels(&["A"]));
    stream.harness.push_event(gst::event::Eos::new());
    assert_eq!(stream.harness.push(buffer(vec![0; 4], 0)), Err(gst::FlowError::Eos));
    stream.flush(true);
    stream.push_distribution(&[0.5], 0);
    assert_eq!(values(&stream.output.buffers()), [[0.5]]);
}

#[test]
fn a_bad_buffer_is_counted_and_warned_of_and_becomes_a_gap() {
    let mut stream = Stream::begun("temporal-smoother", &labels(&["A", "B"]));
    let bus = bus_of(&stream.harness.element().unwrap());
    stream.output.lines();
    stream.push(vec![0; 7], 40);
    stream.push_distribution(&[f32::NAN, 0.0], 80);
    stream.push_distribution(&[0.5, 0.5], 120);
    assert_eq!(stream.output.lines(), ["gap 40", "gap 80", "buffer 120"]);
    assert_eq!(stream.counter("bad-buffers"), 2);
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Warning]).count(), 2);
}

#[test]
fn times_flags_and_the_frame_survive() {
    let mut stream = Stream::begun("temporal-smoother", &labels(&["A"]));
    let record = FrameRecord::new(5, 2, |_| {});
    let mut frame = buffer(ClassProbabilitiesInfo::write(&[1.0]), 40);
    frame.make_mut().set_duration(gst::ClockTime::from_mseconds(33));
    frame.make_mut().set_flags(gst::BufferFlags::DISCONT);
    frame::attach(frame.make_mut(), &record);
    stream.harness.push(frame).unwrap();
    let result = &stream.output.buffers()[0];
    assert_eq!(result.pts(), Some(gst::ClockTime::from_mseconds(40)));
    assert_eq!(result.duration(), Some(gst::ClockTime::from_mseconds(33)));
    assert!(result.flags().contains(gst::BufferFlags::DISCONT));
    assert!(Arc::ptr_eq(&frame::of(result).unwrap(), &record));
    assert_eq!(record.stages()[0].0, "temporal-smoother");
}

#[test]
fn other_caps_are_refused() {
    let mut stream = Stream::new("temporal-smoother");
    assert!(
        !stream.harness.sinkpad().unwrap().peer().unwrap().query_accept_caps(&gstdactyl::caps::feedback())
    );
    stream.harness.push_event(gst::event::StreamStart::new("s"));
    let mut caps = labels(&["A", "B"]);
    caps.make_mut().set("classes", 3);
    stream.harness.push_event(gst::event::Caps::new(&caps));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    stream.harness.push_event(gst::event::Segment::new(&segment));
    assert_eq!(stream.harness.push(buffer(vec![0; 8], 0)), Err(gst::FlowError::NotNegotiated));
}

#[test]
fn what_does_not_fit_does_not_link() {
    crate::stream::init();
    let error = gst::parse::launch("videotestsrc ! temporal-smoother ! fakesink").unwrap_err();
    assert!(error.to_string().contains("could not link"), "{error}");
}
