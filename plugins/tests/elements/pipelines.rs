//! All four elements behind a real decoder, as a server runs them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstdactyl::frame::{self, FrameRecord, Progress};

use dactyl_tests::recordings::shared;

use crate::model;
use crate::pictures::{AVATAR, decode};
use crate::stream::{gap, init, target, text_of};

const RESET: &str = r#"{"maxarg_letter":"","target_arg_prob":0.0}"#;
const WAIT: gst::ClockTime = gst::ClockTime::from_seconds(5);

struct Session {
    pipeline: gst::Pipeline,
    frames: gst_app::AppSrc,
    feedback: gst_app::AppSink,
    ended: Arc<Mutex<Vec<(u64, Progress)>>>,
    sent: u64,
    _model: tempfile::NamedTempFile,
}

impl Session {
    fn new(extra: &str) -> Self {
        init();
        let file = tempfile::NamedTempFile::new().unwrap();
        model::write(file.path());
        let launch = format!(
            "appsrc name=frames is-live=true format=time do-timestamp=true leaky-type=downstream max-buffers=1 max-bytes=0
               caps=image/jpeg
             ! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0
             ! jpegdec idct-method=islow ! videoconvert
             ! holistic-keypoints parts=pose {extra} ! lstm-classifier model={} window={} nothing-share=1
             ! temporal-smoother ! feedback-throttle min-interval=0 min-change=0
             ! appsink name=feedback sync=false async=false",
            file.path().display(),
            model::WINDOW
        );
        let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
        let frames = pipeline.by_name("frames").unwrap().downcast().unwrap();
        let feedback = pipeline.by_name("feedback").unwrap().downcast().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, frames, feedback, ended: Arc::default(), sent: 0, _model: file }
    }

    fn push(&mut self, jpeg: &gst::Buffer, epoch: u64) {
        self.sent += 1;
        let ended = Arc::clone(&self.ended);
        let record = FrameRecord::new(self.sent, epoch, move |record| {
            ended.lock().unwrap().push((record.epoch, record.progress()));
        });
        let mut jpeg = jpeg.copy();
        frame::attach(jpeg.make_mut(), &record);
        self.frames.push_buffer(jpeg).unwrap();
    }

    /// Pushes a picture and waits for it to end: with a GAP, since its window is not full, or without a picture.
    fn push_withheld(&mut self, jpeg: &gst::Buffer, epoch: u64) {
        self.push(jpeg, epoch);
        let begin = Instant::now();
        while u64::try_from(self.ended.lock().unwrap().len()).unwrap() < self.sent {
            assert!(begin.elapsed() < WAIT.into(), "frame {} does not end", self.sent);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn reset(&self, letter: &str, epoch: u64) {
        assert!(self.frames.send_event(gst::event::FlushStart::new()));
        assert!(self.frames.send_event(gst::event::FlushStop::new(false)));
        assert!(self.frames.send_event(target(Some(letter), epoch)));
        assert!(self.frames.send_event(gap(0)));
    }

    /// The next payload, if it comes in time. Its frame ends here: the appsink would keep it until the next one.
    fn payload(&self, wait: gst::ClockTime) -> Option<gst::Buffer> {
        let buffer = self.feedback.try_pull_sample(wait)?.buffer_owned().unwrap();
        if let Some(record) = frame::of(&buffer) {
            record.end();
        }
        Some(buffer)
    }

    /// The next payload: its text, its epoch, and whether a frame stands behind it.
    fn pull(&self) -> Option<(String, u64, bool)> {
        let buffer = self.payload(WAIT)?;
        Some((text_of(&buffer), frame::epoch_of(&buffer).unwrap(), frame::of(&buffer).is_some()))
    }

    /// Stops, and gives what became of every frame.
    fn stop(self) -> Vec<(u64, Progress)> {
        self.pipeline.set_state(gst::State::Null).unwrap();
        let bus = self.pipeline.bus().unwrap();
        let message = bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]);
        assert!(message.is_none(), "{message:?}");
        let ended = self.ended.lock().unwrap().clone();
        assert_eq!(u64::try_from(ended.len()).unwrap(), self.sent, "every frame ends exactly once");
        ended
    }
}

/// A JPEG in which nobody is seen.
fn empty_jpeg(width: u32, height: u32) -> gst::Buffer {
    init();
    jpeg_of(&format!("videotestsrc num-buffers=1 ! video/x-raw,width={width},height={height}"))
}

fn jpeg_of(source: &str) -> gst::Buffer {
    let launch = format!("{source} ! videoconvert ! jpegenc ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    gst::Buffer::from_mut_slice(sample.buffer().unwrap().map_readable().unwrap().to_vec())
}

#[test]
fn a_reset_before_the_first_frame_is_answered_through_a_decoder() {
    let mut session = Session::new("");
    session.reset("A", 1);
    assert_eq!(session.pull().unwrap(), (RESET.to_owned(), 1, false));
    // A second one finds the decoder with caps of its own making.
    session.reset("B", 2);
    assert_eq!(session.pull().unwrap(), (RESET.to_owned(), 2, false));
    let jpeg = empty_jpeg(320, 240);
    for _ in 1..model::WINDOW {
        session.push_withheld(&jpeg, 2);
    }
    session.push(&jpeg, 2);
    let (text, epoch, has_frame) = session.pull().unwrap();
    assert_eq!((epoch, has_frame), (2, true), "{text}");
    session.stop();
}

#[test]
fn resets_of_a_busy_pipeline_are_each_answered_at_once_and_nothing_old_follows() {
    let mut session = Session::new("");
    let jpeg = empty_jpeg(640, 480);
    let mut times = Vec::new();
    for epoch in 1..=12 {
        for _ in 0..40 {
            session.push(&jpeg, epoch - 1);
            std::thread::sleep(Duration::from_millis(2));
        }
        let begin = Instant::now();
        session.reset(if epoch % 2 == 0 { "A" } else { "B" }, epoch);
        // What is older may still come out before the payload of the reset, and not after it.
        loop {
            let (text, of, has_frame) = session.pull().unwrap();
            if of == epoch {
                assert_eq!((text.as_str(), has_frame), (RESET, false));
                break;
            }
            assert!(of < epoch);
        }
        times.push(begin.elapsed());
        while let Some(payload) = session.payload(gst::ClockTime::from_mseconds(1)) {
            assert_eq!(frame::epoch_of(&payload), Some(epoch));
        }
    }
    times.sort();
    println!("reset to payload: median {:?}, worst {:?}", times[times.len() / 2], times[times.len() - 1]);
    assert!(times[times.len() / 2] < Duration::from_millis(50), "{times:?}");
    let ended = session.stop();
    assert!(ended.iter().filter(|(_, progress)| *progress == Progress::Analysed).count() > 0);
}

#[test]
fn the_window_is_empty_after_a_reset() {
    let mut session = Session::new("");
    let jpeg = empty_jpeg(320, 240);
    for epoch in 1..4 {
        session.reset("A", epoch);
        assert_eq!(session.pull().unwrap(), (RESET.to_owned(), epoch, false));
        for frame in 1..model::WINDOW {
            session.push_withheld(&jpeg, epoch);
            assert_eq!(session.payload(gst::ClockTime::ZERO), None, "frame {frame} of the window");
        }
        session.push(&jpeg, epoch);
        assert!(session.payload(WAIT).is_some());
    }
    session.stop();
}

#[test]
fn pictures_that_change_their_size_and_broken_ones_do_not_stop_the_stream() {
    let mut session = Session::new("");
    session.reset("A", 1);
    session.pull().unwrap();
    let broken = gst::Buffer::from_mut_slice(b"not a picture".to_vec());
    for (width, height) in [(320, 240), (1, 1), (641, 479), (16, 2000)] {
        for jpeg in [empty_jpeg(width, height), broken.clone()] {
            session.push_withheld(&jpeg, 1);
        }
    }
    let ended = session.stop();
    assert_eq!(ended.iter().filter(|(_, progress)| *progress == Progress::Analysed).count(), 4);
}

#[test]
fn a_person_leads_to_an_answer() {
    let Some(folder) = shared(AVATAR) else { return };
    // The whole tracker: the test's model asks for the right hand.
    let mut session = Session::new("parts=pose+hands+face");
    session.reset("A", 1);
    session.pull().unwrap();
    let mut last = None;
    for index in 10..20 {
        let path = folder.join(format!("{index:03}.png"));
        assert!(decode(&path, 8, 8).size() > 0);
        let jpeg = jpeg_of(&format!("filesrc location={} ! pngdec", path.display()));
        session.push(&jpeg, 1);
        last = session.payload(gst::ClockTime::from_mseconds(500)).or(last);
    }
    let text = text_of(&last.unwrap());
    let feedback: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(feedback["maxarg_letter"], "A", "{text}");
    assert!(feedback["target_arg_prob"].as_f64().unwrap() > 0.9, "{text}");
    session.stop();
}

#[test]
fn a_seek_in_paused_and_one_while_playing_begin_anew() {
    init();
    let file = tempfile::NamedTempFile::new().unwrap();
    model::write(file.path());
    let launch = format!(
        "videotestsrc ! video/x-raw,format=RGB,width=321,height=240,framerate=25/1
         ! holistic-keypoints parts=pose ! lstm-classifier model={} window={} nothing-share=1
         ! temporal-smoother ! feedback-throttle min-interval=0 min-change=0
         ! appsink name=feedback sync=false",
        file.path().display(),
        model::WINDOW
    );
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("feedback").unwrap().downcast().unwrap();
    let bus = pipeline.bus().unwrap();
    let prerolled = || bus.timed_pop_filtered(WAIT, &[gst::MessageType::AsyncDone]).unwrap();
    let seek = || {
        let stop = gst::ClockTime::from_mseconds(320);
        let set = gst::SeekType::Set;
        pipeline.seek(1.0, gst::SeekFlags::FLUSH, set, gst::ClockTime::ZERO, set, stop).unwrap();
    };
    pipeline.set_state(gst::State::Paused).unwrap();
    // The sink is content with the GAP of the first frame, and blocks the streaming thread in it.
    prerolled();
    seek();
    prerolled();
    pipeline.set_state(gst::State::Playing).unwrap();
    let times = |count: usize| -> Vec<u64> {
        (0..count)
            .map(|_| sink.try_pull_sample(WAIT).unwrap().buffer().unwrap().pts().unwrap().mseconds())
            .collect()
    };
    assert_eq!(times(5), [120, 160, 200, 240, 280]);
    bus.timed_pop_filtered(WAIT, &[gst::MessageType::Eos]).unwrap();
    // After EOS too, and the window starts empty.
    seek();
    assert_eq!(times(5), [120, 160, 200, 240, 280]);
    pipeline.set_state(gst::State::Null).unwrap();
}
