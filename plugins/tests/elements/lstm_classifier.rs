use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use gstdactyl::caps::{ClassProbabilitiesInfo, KeypointsInfo};
use gstdactyl::frame::{self, CANCEL_STAGE, FrameRecord, Progress};

use crate::holistic_keypoints::all_slots;
use crate::model;
use crate::stream::{Stream, buffer, bus_of, gap, init, target};

fn keypoints_caps(width: u32, height: u32) -> gst::Caps {
    KeypointsInfo { width, height, framerate: gst::Fraction::new(25, 1) }.to_caps()
}

/// A classifier with the test's model, whose stream has begun.
struct Classifier {
    stream: Stream,
    _model: tempfile::NamedTempFile,
}

fn open(properties: &str) -> Classifier {
    open_model(model::write, properties)
}

/// As [`open`], with the model that `write` makes.
fn open_model(write: impl FnOnce(&Path), properties: &str) -> Classifier {
    init();
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path());
    let launch =
        format!("lstm-classifier model={} window={} {properties}", file.path().display(), model::WINDOW);
    let stream = Stream::begun(&launch, &keypoints_caps(640, 480));
    stream.output.lines();
    Classifier { stream, _model: file }
}

impl Classifier {
    fn push(&mut self, x: Option<f32>, pts_ms: u64) {
        self.stream.push(model::frame(x), pts_ms);
    }

    /// Pushes frames that begin at this time, 40 ms apart.
    fn push_frames(&mut self, count: u64, x: Option<f32>, pts_ms: u64) {
        for index in 0..count {
            self.push(x, pts_ms + index * 40);
        }
    }

    fn answers(&self) -> Vec<[f32; 2]> {
        let answers = self.stream.output.buffers();
        answers
            .iter()
            .map(|buffer| {
                let bytes = buffer.map_readable().unwrap();
                let value = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                assert_eq!(bytes.len(), 8);
                [value(0), value(4)]
            })
            .collect()
    }
}

#[test]
fn nothing_comes_out_until_the_window_is_full_and_then_one_answer_a_frame() {
    let mut classifier = open("");
    classifier.push_frames(5, Some(0.5), 0);
    assert_eq!(classifier.stream.output.lines(), ["gap 0", "gap 40", "gap 80", "buffer 120", "buffer 160"]);
}

#[test]
fn with_a_least_window_answers_come_sooner_but_not_while_a_moving_sign_is_asked_for() {
    for (letter, first) in [("A", 2), ("B", 4)] {
        let mut classifier = open("min-window=2 moving=\"<B>\"");
        classifier.stream.harness.push_event(target(Some(letter), 1));
        classifier.push_frames(5, Some(0.5), 0);
        assert_eq!(classifier.answers().len(), 6 - first, "{letter}");
    }
}

#[test]
fn a_costly_classifier_waits_for_a_slot_and_a_quick_one_does_not() {
    let mut quick = open("");
    let mut costly = open_model(model::write_costly, "");
    let output = costly.stream.output.clone();
    let held = all_slots();
    quick.push_frames(4, Some(1.0), 0);
    assert_eq!(quick.answers().len(), 1);
    thread::scope(|scope| {
        let pushing = scope.spawn(|| costly.push_frames(4, Some(1.0), 0));
        thread::sleep(Duration::from_millis(300));
        assert!(output.buffers().is_empty(), "it has not waited");
        drop(held);
        pushing.join().unwrap();
    });
    assert_eq!(output.buffers().len(), 1);
}

#[test]
fn the_caps_name_the_labels() {
    let mut classifier = open("");
    classifier.push_frames(4, Some(0.5), 0);
    let caps = classifier.stream.harness.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(ClassProbabilitiesInfo::from_caps(&caps).unwrap().labels, ["A", "B"]);
}

#[test]
fn an_answer_is_about_the_last_window() {
    let mut classifier = open("");
    classifier.push_frames(4, Some(1.0), 0);
    classifier.push(Some(-1.0), 160);
    let answers = classifier.answers();
    assert!(answers[0][0] > 0.99 && answers[0][1] < 0.01, "{answers:?}");
    assert!(answers[1][0] < 0.01 && answers[1][1] > 0.99, "{answers:?}");
}

#[test]
fn frames_without_a_hand_count_and_too_many_of_them_mean_nothing() {
    let mut classifier = open("nothing-share=0.5");
    classifier.push_frames(3, None, 0);
    classifier.push(Some(1.0), 120);
    classifier.push_frames(3, Some(1.0), 160);
    let answers = classifier.answers();
    assert_eq!(answers[0], [0.0, 0.0], "three of four frames show no hand");
    assert!(answers[3][0] > 0.99, "{answers:?}");
}

#[test]
fn a_flush_empties_the_window() {
    for reset_time in [false, true] {
        let mut classifier = open("");
        classifier.push_frames(4, Some(1.0), 0);
        classifier.stream.flush(reset_time);
        classifier.stream.output.lines();
        classifier.push_frames(4, Some(1.0), 200);
        assert_eq!(classifier.stream.output.lines(), ["gap 200", "gap 240", "gap 280", "buffer 320"]);
    }
}

#[test]
fn a_flush_while_paused_empties_the_window_too() {
    let mut classifier = open("");
    classifier.push_frames(3, Some(1.0), 0);
    classifier.stream.harness.element().unwrap().set_state(gst::State::Paused).unwrap();
    classifier.stream.reset(Some("A"), 1, 120);
    classifier.stream.harness.element().unwrap().set_state(gst::State::Playing).unwrap();
    classifier.stream.output.lines();
    classifier.push_frames(4, Some(1.0), 160);
    assert_eq!(classifier.stream.output.lines(), ["gap 160", "gap 200", "gap 240", "buffer 280"]);
}

#[test]
fn a_flush_after_eos_lets_the_stream_go_on() {
    let mut classifier = open("");
    classifier.push_frames(4, Some(1.0), 0);
    assert!(classifier.stream.harness.push_event(gst::event::Eos::new()));
    assert_eq!(classifier.stream.output.lines().last().unwrap(), "eos");
    classifier.stream.flush(true);
    classifier.push_frames(4, Some(1.0), 0);
    assert_eq!(classifier.answers().len(), 1);
}

#[test]
fn gaps_and_targets_pass_in_order_and_leave_the_window_alone() {
    let mut classifier = open("");
    classifier.push_frames(3, Some(1.0), 0);
    classifier.stream.output.lines();
    classifier.stream.harness.push_event(target(Some("A"), 1));
    classifier.stream.harness.push_event(gap(120));
    classifier.push(Some(1.0), 160);
    assert_eq!(classifier.stream.output.lines(), ["letter-target", "gap 120", "buffer 160"]);
}

#[test]
fn a_new_stream_empties_the_window() {
    let mut classifier = open("");
    classifier.push_frames(3, Some(1.0), 0);
    classifier.stream.harness.push_event(gst::event::StreamStart::new("another"));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    classifier.stream.harness.push_event(gst::event::Caps::new(&keypoints_caps(640, 480)));
    classifier.stream.harness.push_event(gst::event::Segment::new(&segment));
    classifier.stream.output.lines();
    classifier.push(Some(1.0), 120);
    assert_eq!(classifier.stream.output.lines(), ["gap 120"]);
}

#[test]
fn another_picture_size_empties_the_window_and_the_same_one_does_not() {
    let mut classifier = open("");
    classifier.push_frames(3, Some(1.0), 0);
    classifier.stream.harness.push_event(gst::event::Caps::new(&keypoints_caps(640, 480)));
    classifier.push(Some(1.0), 120);
    classifier.stream.output.lines();
    // Caps that a decoder makes up for a GAP bring no frame.
    classifier.stream.harness.push_event(gst::event::Caps::new(&keypoints_caps(320, 240)));
    classifier.stream.harness.push_event(gst::event::Caps::new(&keypoints_caps(640, 480)));
    classifier.push(Some(1.0), 160);
    classifier.stream.harness.push_event(gst::event::Caps::new(&keypoints_caps(480, 640)));
    classifier.push(Some(1.0), 200);
    let lines = classifier.stream.output.lines();
    let data: Vec<_> = lines.iter().filter(|line| *line != "caps").collect();
    assert_eq!(data, ["buffer 160", "gap 200"]);
}

#[test]
fn a_frame_counts_as_analysed_whatever_becomes_of_it() {
    let mut classifier = open("");
    let record = FrameRecord::new(1, 0, |_| {});
    let mut frame = buffer(model::frame(Some(1.0)), 0);
    frame::attach(frame.make_mut(), &record);
    classifier.stream.harness.push(frame).unwrap();
    assert_eq!(record.progress(), Progress::Analysed);
    assert_eq!(record.stages()[0].0, "lstm-classifier");
    assert_eq!(classifier.stream.output.lines(), ["gap 0"]);
}

#[test]
fn a_frame_without_keypoints_does_not_count_as_analysed() {
    let mut classifier = open("");
    let record = FrameRecord::new(1, 0, |_| {});
    let mut frame = buffer(vec![0; 100], 0);
    frame::attach(frame.make_mut(), &record);
    classifier.stream.harness.push(frame).unwrap();
    assert_eq!(record.progress(), Progress::Queued);
}

#[test]
fn a_frame_that_a_flush_cancels_does_not_count_as_analysed_and_tells_how_long_it_took() {
    let mut classifier = open("");
    classifier.push_frames(3, Some(1.0), 0);
    let record = FrameRecord::new(1, 0, |_| {});
    let mut frame = buffer(model::frame(Some(1.0)), 120);
    frame::attach(frame.make_mut(), &record);
    // The flush comes when the frame is past the pad's own check.
    let pad = classifier.stream.harness.element().unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, _| {
        assert!(pad.send_event(gst::event::FlushStart::new()));
        gst::PadProbeReturn::Remove
    });
    assert_eq!(classifier.stream.harness.push(frame), Err(gst::FlowError::Flushing));
    assert_eq!(record.progress(), Progress::Queued);
    let stages: Vec<_> = record.stages().iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, [CANCEL_STAGE]);
}

#[test]
fn messages_tell_the_fill_and_then_the_best_classes() {
    let mut classifier = open("post-messages=true");
    let bus = bus_of(&classifier.stream.harness.element().unwrap());
    classifier.push_frames(3, Some(1.0), 0);
    classifier.push(Some(1.0), 120);
    let messages: Vec<_> = bus
        .iter_filtered(&[gst::MessageType::Element])
        .map(|message| message.structure().unwrap().to_owned())
        .collect();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[0].name(), "lstm-classifier");
    assert_eq!(messages[0].get::<u32>("filled"), Ok(1));
    assert_eq!(messages[0].get::<u32>("window"), Ok(model::WINDOW));
    assert!(!messages[0].has_field("labels"));
    let last = &messages[3];
    assert_eq!(last.get::<gst::ClockTime>("timestamp"), Ok(gst::ClockTime::from_mseconds(120)));
    let labels = last.get::<gst::ArrayRef>("labels").unwrap();
    assert_eq!(labels.first().unwrap().get::<&str>(), Ok("A"));
    assert!(last.get::<f32>("nothing").unwrap() < 0.01);
    classifier.stream.harness.element().unwrap().set_property("post-messages", false);
    classifier.push(Some(1.0), 160);
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Element]).count(), 0);
}

#[test]
fn a_bad_buffer_is_counted_and_warned_of_and_becomes_a_gap() {
    let mut classifier = open("");
    let bus = bus_of(&classifier.stream.harness.element().unwrap());
    classifier.push_frames(3, Some(1.0), 0);
    classifier.stream.output.lines();
    classifier.stream.push(vec![0; 100], 120);
    classifier.push(Some(1.0), 160);
    assert_eq!(classifier.stream.output.lines(), ["gap 120", "buffer 160"]);
    assert_eq!(classifier.stream.counter("bad-buffers"), 1);
    assert_eq!(bus.iter_filtered(&[gst::MessageType::Warning]).count(), 1);
}

#[test]
fn a_result_that_is_no_number_is_counted_and_told_once_and_becomes_a_gap() {
    let mut classifier = open_model(model::write_with_hole, "post-messages=true");
    let element = classifier.stream.harness.element().unwrap();
    let bus = bus_of(&element);
    let notified = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&notified);
    element.connect_notify(Some("unusable-results"), move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    classifier.push_frames(4, Some(0.5), 0);
    classifier.stream.output.lines();
    bus.set_flushing(true);
    bus.set_flushing(false);

    classifier.push_frames(2, Some(model::HOLE), 160);
    let record = FrameRecord::new(1, 0, |_| {});
    let mut frame = buffer(model::frame(Some(model::HOLE)), 240);
    frame::attach(frame.make_mut(), &record);
    classifier.stream.harness.push(frame).unwrap();
    classifier.push(Some(0.5), 280);
    assert_eq!(classifier.stream.output.lines(), ["gap 160", "gap 200", "gap 240", "buffer 280"]);
    assert_eq!(classifier.stream.counter("unusable-results"), 3);
    assert_eq!(notified.load(Ordering::Relaxed), 3);
    assert_eq!(classifier.stream.counter("bad-buffers"), 0);
    assert_eq!(record.progress(), Progress::Analysed);

    let messages: Vec<_> =
        bus.iter_filtered(&[gst::MessageType::Warning, gst::MessageType::Element]).collect();
    let warnings: Vec<_> = messages
        .iter()
        .filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("NaN"), "{warnings:?}");
    let seen: Vec<_> = messages.iter().filter_map(|message| message.structure()).collect();
    let seen = seen.iter().filter(|structure| structure.name() == "lstm-classifier");
    let has_letters: Vec<bool> = seen.map(|structure| structure.has_field("labels")).collect();
    assert_eq!(has_letters, [false, false, false, true]);
}

#[test]
fn properties_read_back() {
    init();
    let element = gst::ElementFactory::make("lstm-classifier").build().unwrap();
    let config = dactyl_config::Config::builtin().letters;
    assert_eq!(element.property::<String>("model"), config.model);
    assert_eq!(element.property::<u32>("window"), config.window);
    assert_eq!(element.property::<f32>("nothing-share"), config.nothing_share);
    assert_eq!(element.property::<f32>("other-weight"), config.other_weight);
    for (name, text) in
        [("features", "holistic-1662"), ("output", "logits"), ("model", "my.onnx"), ("window", "16")]
    {
        element.set_property_from_str(name, text);
        assert_eq!(element.property_value(name).serialize().unwrap(), text);
    }
    element.set_property("labels", gst::Array::new(["A", "hello, world"]));
    let labels: Vec<String> =
        element.property::<gst::Array>("labels").iter().map(|label| label.get().unwrap()).collect();
    assert_eq!(labels, ["A", "hello, world"]);
    element.set_property_from_str("labels", "<A, \"two words\">");
    assert_eq!(element.property::<gst::Array>("labels").len(), 2);
}

/// C has a text that is no text, which a program may set.
#[test]
fn a_null_path_is_an_empty_one() {
    init();
    let element = gst::ElementFactory::make("lstm-classifier").build().unwrap();
    element.set_property("model", None::<&str>);
    assert_eq!(element.property::<String>("model"), "");
}

#[test]
fn a_model_that_cannot_be_used_is_named_when_the_element_starts() {
    init();
    let rubbish = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rubbish.path(), b"not a model").unwrap();
    let good = tempfile::NamedTempFile::new().unwrap();
    model::write(good.path());
    let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
    for (model, window, expected) in [
        ("/no/such/model.onnx".to_owned(), 4u32, "/no/such/model.onnx".to_owned()),
        (path(&rubbish), 4, path(&rubbish)),
        // The file says 4.
        (path(&good), 32, "window".to_owned()),
    ] {
        let element = gst::ElementFactory::make("lstm-classifier")
            .property("model", model)
            .property("window", window)
            .build()
            .unwrap();
        let bus = bus_of(&element);
        assert!(element.set_state(gst::State::Ready).is_err());
        let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = message.view() else { panic!("filtered") };
        assert!(error.error().message().contains(&expected), "{}", error.error());
    }
}

#[test]
fn what_does_not_fit_does_not_link() {
    init();
    for launch in ["videotestsrc ! lstm-classifier ! fakesink", "lstm-classifier ! videoconvert ! fakesink"] {
        let error = gst::parse::launch(launch).unwrap_err();
        assert!(error.to_string().contains("could not link"), "{error}");
    }
}
