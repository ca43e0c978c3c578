use dactyl_config::{PayloadFormat, ThrottleClock};
use gst::prelude::*;
use gstdactyl::caps::ClassProbabilitiesInfo;
use gstdactyl::frame::{self, FrameRecord, Progress};

use crate::stream::{Stream, buffer, bus_of, gap, labels, target, text_of};

const RESET: &str = r#"{"maxarg_letter":"","target_arg_prob":0.0}"#;

/// A throttle without limits, whose stream has begun with the labels A and B.
fn open(properties: &str) -> Stream {
    let launch = format!("feedback-throttle min-interval=0 min-change=0 clock=pts {properties}");
    let stream = Stream::begun(&launch, &labels(&["A", "B"]));
    stream.output.lines();
    stream
}

fn texts(stream: &Stream) -> Vec<String> {
    stream.output.buffers().iter().map(|buffer| text_of(buffer)).collect()
}

#[test]
fn a_distribution_becomes_the_payload_of_the_protocol() {
    let mut stream = open("target=b");
    stream.push_distribution(&[0.75, 0.25], 40);
    assert_eq!(stream.output.lines(), [r#"buffer 40 {"maxarg_letter":"A","target_arg_prob":0.25}"#]);
}

#[test]
fn every_format_says_the_same() {
    for (format, expected) in [
        ("json", "{\"maxarg_letter\":\"A\",\"target_arg_prob\":0.75}"),
        ("json-lines", "{\"maxarg_letter\":\"A\",\"target_arg_prob\":0.75}\n"),
        ("letter", "A"),
    ] {
        let mut stream = open(&format!("target=A format={format}"));
        stream.push_distribution(&[0.75, 0.25], 40);
        assert_eq!(texts(&stream), [expected]);
    }
}

#[test]
fn nothing_seen_is_an_empty_letter_in_every_format() {
    let mut stream = open("");
    stream.push_distribution(&[0.0, 0.0], 0);
    let element = stream.harness.element().unwrap();
    element.set_property_from_str("format", "letter");
    stream.push_distribution(&[0.0, 0.0], 40);
    assert_eq!(texts(&stream), [RESET, ""]);
}

#[test]
fn a_result_passes_after_the_interval_if_it_is_news() {
    let mut stream = open("target=A");
    let element = stream.harness.element().unwrap();
    element.set_property("min-interval", 80u32);
    element.set_property("min-change", 0.03f32);
    for (probability, pts) in [(0.5, 0), (0.9, 79), (0.52, 80), (0.54, 81), (0.1, 160), (0.1, 161)] {
        stream.push_distribution(&[probability, 0.9 - probability], pts);
    }
    let letters: Vec<_> = stream.output.lines();
    assert_eq!(
        letters,
        [
            r#"buffer 0 {"maxarg_letter":"A","target_arg_prob":0.5}"#,
            "gap 79",
            "gap 80",
            r#"buffer 81 {"maxarg_letter":"A","target_arg_prob":0.54}"#,
            "gap 160",
            r#"buffer 161 {"maxarg_letter":"B","target_arg_prob":0.1}"#,
        ]
    );
    assert_eq!(stream.counter("sent"), 3);
    assert_eq!(stream.counter("throttled"), 3);
}

#[test]
fn the_running_time_counts_in_live_pipelines() {
    let mut stream = Stream::new("feedback-throttle min-interval=80 min-change=0 clock=running-time");
    stream.harness.use_testclock();
    stream.harness.set_src_caps(labels(&["A"]));
    stream.output.lines();
    for (time, pts) in [(1000, 0), (1079, 500), (1080, 501)] {
        stream.harness.set_time(gst::ClockTime::from_mseconds(time)).unwrap();
        stream.push_distribution(&[1.0], pts);
    }
    let lines = stream.output.lines();
    assert!(lines[0].starts_with("buffer 0"), "{lines:?}");
    assert_eq!(lines[1], "gap 500");
    assert!(lines[2].starts_with("buffer 501"), "{lines:?}");
}

#[test]
fn caps_come_before_the_segment_even_if_those_of_the_input_are_late() {
    let mut stream = Stream::new("feedback-throttle");
    stream.harness.push_event(gst::event::StreamStart::new("s"));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    stream.harness.push_event(gst::event::Segment::new(&segment));
    assert_eq!(stream.output.lines(), ["stream-start", "caps", "segment"]);
    let caps = stream.harness.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(caps, gstdactyl::caps::feedback());
}

#[test]
fn a_target_event_is_answered_at_once() {
    let mut stream = open("");
    stream.push_distribution(&[1.0, 0.0], 120);
    stream.output.lines();
    stream.harness.push_event(target(Some("b"), 1));
    assert_eq!(stream.output.lines(), ["letter-target".to_owned(), format!("buffer 120 {RESET}")]);
    stream.push_distribution(&[0.0, 0.5], 160);
    assert_eq!(texts(&stream), [r#"{"maxarg_letter":"B","target_arg_prob":0.5}"#]);
}

#[test]
fn a_target_before_the_first_frame_is_answered_with_the_gap() {
    let mut stream = Stream::new("feedback-throttle");
    stream.harness.push_event(gst::event::StreamStart::new("s"));
    stream.harness.push_event(target(Some("A"), 1));
    stream.harness.push_event(gap(500));
    assert_eq!(
        stream.output.lines(),
        ["stream-start", "letter-target", "caps", "segment", &format!("buffer 0 {RESET}"), "gap 500"]
    );
    // Caps, segment and frames of the source follow as ever; the target was known before the labels.
    stream.harness.set_src_caps(labels(&["A", "B"]));
    stream.push_distribution(&[0.75, 0.25], 600);
    assert_eq!(
        stream.output.lines().last().unwrap(),
        r#"buffer 600 {"maxarg_letter":"A","target_arg_prob":0.75}"#
    );
}

#[test]
fn a_target_before_the_stream_is_answered_once_the_stream_begins() {
    let mut stream = Stream::new("feedback-throttle");
    stream.harness.push_event(gst::event::StreamStart::new("s"));
    stream.harness.push_event(target(Some("A"), 1));
    assert_eq!(stream.output.lines(), ["stream-start", "letter-target"]);
    stream.harness.set_src_caps(labels(&["A", "B"]));
    let lines = stream.output.lines();
    assert_eq!(lines.last().unwrap(), &format!("buffer 0 {RESET}"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("buffer")).count(), 1);
}

#[test]
fn a_reset_forgets_what_was_sent_and_counts_as_sent() {
    let mut stream = open("target=A");
    stream.harness.element().unwrap().set_property("min-interval", 80u32);
    stream.push_distribution(&[1.0, 0.0], 1000);
    stream.output.lines();
    stream.reset(Some("A"), 1, 1010);
    stream.push_distribution(&[1.0, 0.0], 1079);
    stream.push_distribution(&[1.0, 0.0], 1080);
    assert_eq!(
        stream.output.lines(),
        [
            "flush-start",
            "flush-stop",
            "segment",
            "letter-target",
            &format!("buffer 1000 {RESET}"),
            "gap 1010",
            "gap 1079",
            r#"buffer 1080 {"maxarg_letter":"A","target_arg_prob":1.0}"#,
        ]
    );
}

#[test]
fn without_on_reset_a_target_only_changes_the_target() {
    let mut stream = open("on-reset=false");
    stream.reset(Some("B"), 1, 0);
    stream.push_distribution(&[0.5, 0.5], 40);
    assert_eq!(texts(&stream), [r#"{"maxarg_letter":"A","target_arg_prob":0.5}"#]);
}

#[test]
fn the_event_wins_over_the_property_and_no_letter_means_no_target() {
    let mut stream = open("target=A");
    stream.set_target(None, 1, 0);
    stream.harness.element().unwrap().set_property("target", "B");
    stream.push_distribution(&[0.5, 0.5], 40);
    assert_eq!(texts(&stream), [RESET, r#"{"maxarg_letter":"A","target_arg_prob":0.0}"#]);
}

#[test]
fn an_unknown_letter_is_no_target() {
    let mut stream = open("");
    stream.set_target(Some("hello"), 1, 0);
    stream.push_distribution(&[0.5, 0.5], 40);
    assert_eq!(texts(&stream), [RESET, r#"{"maxarg_letter":"A","target_arg_prob":0.0}"#]);
}

#[test]
fn the_same_event_twice_is_one_reset() {
    let mut stream = open("");
    let event = target(Some("A"), 1);
    stream.harness.push_event(event.clone());
    stream.harness.push_event(event);
    assert_eq!(texts(&stream), [RESET]);
}

#[test]
fn results_of_an_older_epoch_are_thrown_away() {
    let mut stream = open("");
    stream.set_target(Some("A"), 2, 0);
    stream.output.lines();
    for (id, epoch) in [(1, 0), (2, 1), (3, 2)] {
        let mut frame = buffer(ClassProbabilitiesInfo::write(&[0.5, 0.5]), id);
        frame::attach(frame.make_mut(), &FrameRecord::new(id, epoch, |_| {}));
        stream.harness.push(frame).unwrap();
    }
    // A frame whose meta was lost on the way belongs to the epoch of the last target.
    stream.push_distribution(&[0.5, 0.5], 4);
    let lines = stream.output.lines();
    assert_eq!(lines[..2], ["gap 1", "gap 2"]);
    assert!(lines[2].starts_with("buffer 3") && lines[3].starts_with("buffer 4"), "{lines:?}");
    assert_eq!(stream.counter("stale"), 2);
}

#[test]
fn the_frame_and_its_epoch_survive() {
    let mut stream = open("");
    stream.set_target(Some("A"), 3, 0);
    let record = FrameRecord::new(9, 3, |_| {});
    let mut frame = buffer(ClassProbabilitiesInfo::write(&[0.5, 0.5]), 40);
    frame::attach(frame.make_mut(), &record);
    stream.harness.push(frame).unwrap();
    let buffers = stream.output.buffers();
    assert_eq!(frame::epoch_of(&buffers[0]), Some(3));
    assert!(frame::of(&buffers[0]).is_none(), "no frame stands behind the payload of a reset");
    assert_eq!(frame::of(&buffers[1]).unwrap().id, 9);
    assert_eq!(record.progress(), Progress::Analysed);
}

#[test]
fn properties_change_while_playing_and_read_back() {
    let mut stream = open("target=A");
    let element = stream.harness.element().unwrap();
    stream.push_distribution(&[0.75, 0.25], 0);
    element.set_property("target", "B");
    element.set_property("min-interval", 1000u32);
    assert_eq!(element.property::<String>("target"), "B");
    assert_eq!(element.property::<u32>("min-interval"), 1000);
    stream.push_distribution(&[0.75, 0.25], 40);
    element.set_property("min-interval", 0u32);
    element.set_property_from_str("format", "letter");
    stream.push_distribution(&[0.75, 0.25], 80);
    assert_eq!(texts(&stream), [r#"{"maxarg_letter":"A","target_arg_prob":0.75}"#, "A"]);
    element.set_property("on-reset", false);
    element.set_property("min-change", 0.5f32);
    element.set_property_from_str("clock", "running-time");
    assert!(!element.property::<bool>("on-reset"));
    assert_eq!(element.property::<f32>("min-change"), 0.5);
    let nick = |name: &str| {
        let value = element.property_value(name);
        glib_nick(&value)
    };
    assert_eq!((nick("clock").as_str(), nick("format").as_str()), ("running-time", "letter"));
}

fn glib_nick(value: &gst::glib::Value) -> String {
    gst::glib::EnumValue::from_value(value).unwrap().1.nick().to_owned()
}

#[test]
fn the_defaults_are_the_configured_ones() {
    let stream = Stream::new("feedback-throttle");
    let element = stream.harness.element().unwrap();
    let config = dactyl_config::Config::builtin().feedback;
    assert_eq!(element.property::<u32>("min-interval"), config.min_interval_ms);
    assert_eq!(element.property::<f32>("min-change"), config.min_change);
    assert_eq!(element.property::<bool>("on-reset"), config.on_reset);
    assert_eq!(element.property::<ThrottleClock>("clock"), config.clock);
    assert_eq!(element.property::<PayloadFormat>("format"), config.format);
}

#[test]
fn gaps_and_eos_pass_and_a_flush_after_eos_lets_the_stream_go_on() {
    let mut stream = open("");
    stream.harness.push_event(gap(40));
    stream.harness.push_event(gst::event::Eos::new());
    assert_eq!(stream.output.lines(), ["gap 40", "eos"]);
    stream.reset(None, 1, 50);
    stream.push_distribution(&[1.0, 0.0], 80);
    let lines = stream.output.lines();
    assert!(lines.contains(&format!("buffer 40 {RESET}")), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("buffer 80"), "{lines:?}");
}

#[test]
fn a_bad_buffer_is_counted_and_warned_of_and_becomes_a_gap() {
    let mut stream = open("");
    let bus = bus_of(&stream.harness.element().unwrap());
    stream.push(vec![0; 3], 40);
    stream.push(Vec::new(), 80);
    assert_eq!(stream.output.lines(), ["gap 40", "gap 80"]);
    assert_eq!(stream.counter("bad-buffers"), 2);
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Warning]).count(), 2);
}

#[test]
fn a_frame_without_a_time_is_answered_too() {
    let mut stream = open("");
    let buffer = gst::Buffer::from_mut_slice(ClassProbabilitiesInfo::write(&[1.0, 0.0]));
    stream.harness.push(buffer).unwrap();
    assert_eq!(stream.output.lines(), [r#"buffer none {"maxarg_letter":"A","target_arg_prob":0.0}"#]);
}

#[test]
fn what_does_not_fit_does_not_link() {
    crate::stream::init();
    for launch in
        ["videotestsrc ! feedback-throttle ! fakesink", "feedback-throttle ! videoconvert ! fakesink"]
    {
        let error = gst::parse::launch(launch).unwrap_err();
        assert!(error.to_string().contains("could not link"), "{error}");
    }
}

#[test]
fn a_pipeline_can_stop_and_start_anew() {
    let mut stream = open("");
    stream.set_target(Some("A"), 7, 0);
    let element = stream.harness.element().unwrap();
    element.set_state(gst::State::Ready).unwrap();
    // The source stops too, and forgets the events that stick to its pad.
    let source = stream.harness.srcpad().unwrap();
    source.set_active(false).unwrap();
    source.set_active(true).unwrap();
    element.set_state(gst::State::Playing).unwrap();
    stream.output.lines();
    stream.harness.push_event(gst::event::StreamStart::new("again"));
    stream.harness.set_src_caps(labels(&["A", "B"]));
    stream.push_distribution(&[0.5, 0.5], 0);
    // The target and the epoch of the earlier run are gone.
    assert_eq!(texts(&stream), [r#"{"maxarg_letter":"A","target_arg_prob":0.0}"#]);
}
