//! One running pipeline and what the server hangs on it: probes for the ledger, callbacks for payloads and messages.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dactyl_holistic::keypoints::{BYTES, Keypoints, LEFT_HAND, POSE, RIGHT_HAND};
use gst::prelude::*;
use gst_video::VideoOrientationMethod;
use gstdactyl::caps::KeypointsInfo;
use gstdactyl::frame::{self, FrameRecord, Progress};
use gstdactyl::letter_target::LetterTarget;
use gstdactyl::message;

use super::file::{Built, PipelineError, PipelineFile, Takes, nearest_throttle};

/// Of the pictures of most cameras; landmarks of others tell it.
const USUAL_SIZE: (u32, u32) = (640, 480);

/// Told of what comes out of a pipeline, on its own threads: no method may block.
pub(crate) trait Listener: Send + Sync {
    /// A payload of that epoch.
    fn payload(&self, payload: &str, epoch: u64, cause: Cause);
    /// An element posted a message.
    fn message(&self, structure: &gst::StructureRef);
    /// That many results were not worth a payload.
    fn throttled(&self, results: u64);
    /// A classifier gave no numbers for a window.
    fn unusable_result(&self);
    /// The pipeline does not run any more.
    fn failed(&self, error: &PipelineError);
}

/// What a payload was computed from.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// That frame.
    Frame(Arc<FrameRecord>),
    /// No frame: it answers a new letter.
    Reset,
    /// Not known: an element on the way dropped the frame's meta.
    Unknown,
}

/// A frame on its way into a pipeline.
pub(crate) struct Frame {
    /// The picture or the landmarks; carries its record.
    pub(crate) buffer: gst::Buffer,
    /// What the buffer holds.
    pub(crate) form: Form,
}

impl Frame {
    /// Landmarks in the layout that their caps name, with the size of the picture that they were found in.
    pub(crate) fn of_keypoints(keypoints: &Keypoints, width: u32, height: u32) -> Self {
        let mut bytes = vec![0; BYTES];
        keypoints.write_le_bytes(&mut bytes);
        Self { buffer: gst::Buffer::from_mut_slice(bytes), form: Form::Keypoints { width, height } }
    }
}

/// What a frame's buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JPEG, and what makes it upright.
    Jpeg(VideoOrientationMethod),
    /// Keypoints as their caps say, and the size of the picture that they were found in.
    Keypoints {
        /// Pixels, at least 1.
        width: u32,
        /// Pixels, at least 1.
        height: u32,
    },
}

/// A pipeline that plays until it is dropped.
pub(crate) struct Wiring {
    built: Built,
    /// What its elements were told last of how pictures lie; `None` if that may have been lost.
    orientation: Option<VideoOrientationMethod>,
    /// Width and height that its elements were told last of the pictures that landmarks were found in.
    size: (u32, u32),
    flush: Arc<Flush>,
}

/// A flush that may be under way. An element that was agreeing on a format with the next one at that moment takes the flush
/// for a refusal, and posts an error.
#[derive(Default)]
struct Flush {
    under_way: AtomicBool,
    /// An error was posted meanwhile.
    failed: AtomicBool,
}

impl Flush {
    /// Flushes; whether every element bore it. Errors are posted before this returns, since a flush waits for every thread.
    fn run(&self, flush: impl FnOnce()) -> bool {
        self.under_way.store(true, Ordering::Release);
        flush();
        self.under_way.store(false, Ordering::Release);
        !self.failed.swap(false, Ordering::AcqRel)
    }

    /// Whether an error that is posted now is taken as one of the flush.
    fn takes_error(&self) -> bool {
        let is_under_way = self.under_way.load(Ordering::Acquire);
        if is_under_way {
            self.failed.store(true, Ordering::Release);
        }
        is_under_way
    }
}

impl Wiring {
    /// Builds the pipeline and starts it.
    ///
    /// # Errors
    ///
    /// When it cannot be built, or an element does not start.
    pub(crate) fn start(
        file: &PipelineFile,
        given: &BTreeMap<String, String>,
        post_messages: bool,
        listener: &Arc<dyn Listener>,
    ) -> Result<Self, PipelineError> {
        let wiring = Self {
            built: file.build(given)?,
            orientation: Some(VideoOrientationMethod::Identity),
            size: USUAL_SIZE,
            flush: Arc::default(),
        };
        wiring.set_up_elements(post_messages, listener);
        wiring.watch_payloads(listener);
        wiring.watch_throttle(listener);
        let first_error = wiring.watch_bus(file, listener);
        wiring.built.frames.set_caps(Some(&match wiring.built.takes {
            Takes::Pictures => gst::Caps::new_empty_simple("image/jpeg"),
            Takes::Landmarks => keypoints_caps(wiring.size),
        }));
        let started = wiring.built.pipeline.set_state(gst::State::Playing);
        let error = first_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (started, error) {
            (Ok(_), None) => Ok(wiring),
            (_, Some(error)) => Err(error),
            (Err(error), None) => Err(file.error(None, format!("the pipeline does not start: {error}"))),
        }
    }

    /// Puts a frame in; it may be dropped for a newer one.
    pub(crate) fn push(&mut self, frame: Frame) {
        match frame.form {
            Form::Jpeg(orientation) if self.orientation != Some(orientation) => {
                self.built.frames.send_event(orientation_event(orientation));
                self.orientation = Some(orientation);
            }
            Form::Keypoints { width, height } if self.size != (width, height) => {
                self.size = (width, height);
                // They go their way between the frames, and outlive those that are dropped, and flushes.
                self.built.frames.set_caps(Some(&keypoints_caps(self.size)));
            }
            Form::Jpeg(_) | Form::Keypoints { .. } => {}
        }
        // Refused only after an error, which has been posted; the frame ends here then.
        let _ = self.built.frames.push_buffer(frame.buffer);
    }

    /// Empties every queue and every window, ends the inference that is running, and sets the target. Blocks until
    /// busy elements have returned. `false` if an element did not bear it: then a new pipeline is needed.
    #[must_use]
    pub(crate) fn reset(&mut self, letter: Option<String>, epoch: u64) -> bool {
        // What waits in a queue is lost, and with it the news of how the next frame lies.
        self.orientation = self.orientation.filter(|last| *last == VideoOrientationMethod::Identity);
        let frames = &self.built.frames;
        let is_whole = self.flush.run(|| {
            frames.send_event(gst::event::FlushStart::new());
            frames.send_event(gst::event::FlushStop::new(false));
        });
        if !is_whole {
            return false;
        }
        frames.send_event(LetterTarget { letter, epoch }.to_event());
        // A decoder keeps the event until its next picture; a GAP releases it.
        let now = self.built.pipeline.current_running_time().unwrap_or(gst::ClockTime::ZERO);
        frames.send_event(gst::event::Gap::new(now, gst::ClockTime::NONE));
        true
    }

    /// Labels of the model, as the throttle sees them; known once a frame has been analysed.
    pub(crate) fn labels(&self) -> Option<Vec<String>> {
        let caps = self.throttle()?.static_pad("sink")?.current_caps()?;
        Some(gstdactyl::caps::ClassProbabilitiesInfo::from_caps(&caps).ok()?.labels)
    }

    /// What its frames must be.
    pub(crate) fn takes(&self) -> Takes {
        self.built.takes
    }

    /// Whether a new letter is answered with a 0 % payload.
    pub(crate) fn answers_resets(&self) -> bool {
        self.throttle().is_some_and(|throttle| throttle.property("on-reset"))
    }

    fn throttle(&self) -> Option<gst::Element> {
        nearest_throttle(&self.built.feedback).or_else(|| self.built.throttles.first().cloned())
    }

    fn set_up_elements(&self, post_messages: bool, listener: &Arc<dyn Listener>) {
        let listener = Arc::clone(listener);
        let tells_landmarks = post_messages && self.built.takes == Takes::Landmarks;
        let set_up = move |element: &gst::Element| {
            if post_messages && element.find_property("post-messages").is_some() {
                element.set_property("post-messages", true);
            }
            // A sink that keeps its last buffer keeps the frame in flight.
            if element.find_property("enable-last-sample").is_some() {
                element.set_property("enable-last-sample", false);
            }
            watch_decoder(element);
            watch_classifier(element, &listener);
            if tells_landmarks {
                watch_landmarks(element, &listener);
            }
        };
        for element in self.built.pipeline.iterate_recurse().into_iter().flatten() {
            set_up(&element);
        }
        self.built.pipeline.connect_deep_element_added(move |_, _, element| set_up(element));
    }

    fn watch_payloads(&self, listener: &Arc<dyn Listener>) {
        let epoch = Arc::new(AtomicU64::new(0));
        if let Some(pad) = self.built.feedback.static_pad("sink") {
            let epoch = Arc::clone(&epoch);
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                if let Some(target) = info.event().and_then(|event| LetterTarget::from_event(event)) {
                    epoch.store(target.epoch, Ordering::Release);
                }
                gst::PadProbeReturn::Ok
            });
        }
        let listener = Arc::clone(listener);
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let Some(buffer) = sample.buffer() else { return Ok(gst::FlowSuccess::Ok) };
            let of_buffer = frame::epoch_of(buffer);
            let cause = match (frame::of(buffer), of_buffer) {
                (Some(record), _) => Cause::Frame(record),
                (None, Some(_)) => Cause::Reset,
                (None, None) => Cause::Unknown,
            };
            let epoch = of_buffer.unwrap_or_else(|| epoch.load(Ordering::Acquire));
            let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
            let record = frame::of(buffer);
            listener.payload(&String::from_utf8_lossy(&map), epoch, cause);
            // The sink keeps the buffer until the next one; the frame ends here.
            if let Some(record) = record {
                record.end();
            }
            Ok(gst::FlowSuccess::Ok)
        });
        self.built.feedback.set_callbacks(callbacks.build());
    }

    /// Counts what the throttle withholds: it pushes a GAP in place of each.
    fn watch_throttle(&self, listener: &Arc<dyn Listener>) {
        let Some(pad) = self.throttle().and_then(|throttle| throttle.static_pad("src")) else { return };
        let listener = Arc::clone(listener);
        let counted = AtomicU64::new(0);
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            let is_gap = info.event().is_some_and(|event| event.type_() == gst::EventType::Gap);
            if let Some(throttle) = pad.parent_element().filter(|_| is_gap) {
                let withheld: u64 = throttle.property("throttled");
                let before = counted.swap(withheld, Ordering::AcqRel);
                listener.throttled(withheld.saturating_sub(before));
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Passes messages on as they are posted. The first error of the start is kept instead, for the caller.
    fn watch_bus(
        &self,
        file: &PipelineFile,
        listener: &Arc<dyn Listener>,
    ) -> Arc<Mutex<Option<PipelineError>>> {
        let first_error = Arc::new(Mutex::new(None));
        let (kept, file, listener) = (Arc::clone(&first_error), file.clone(), Arc::clone(listener));
        let flush = Arc::clone(&self.flush);
        // Messages come on the pipeline's own threads, which know nothing of the session.
        let span = tracing::Span::current();
        if let Some(bus) = self.built.pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                let _entered = span.enter();
                let fail = |error: PipelineError| {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
                    listener.failed(&error);
                };
                match message.view() {
                    gst::MessageView::Error(error) if flush.takes_error() => {
                        tracing::debug!(error = %file.runtime_error(error), "an element did not bear a flush");
                    }
                    gst::MessageView::Error(error) => fail(file.runtime_error(error)),
                    gst::MessageView::Eos(_) => {
                        fail(file.error(None, "the pipeline ended by itself".to_owned()));
                    }
                    gst::MessageView::Warning(warning) => {
                        let element =
                            message.src().map(|source| source.name().to_string()).unwrap_or_default();
                        tracing::warn!(element, "{}", warning.error());
                    }
                    gst::MessageView::Element(element) => {
                        if let Some(structure) = element.structure() {
                            listener.message(structure);
                        }
                    }
                    _ => {}
                }
                gst::BusSyncReply::Drop
            });
        }
        first_error
    }
}

impl Drop for Wiring {
    /// Ends the inference that is running and takes the pipeline down.
    fn drop(&mut self) {
        self.built.frames.send_event(gst::event::FlushStart::new());
        if let Err(error) = self.built.pipeline.set_state(gst::State::Null) {
            tracing::error!(%error, "a pipeline cannot be stopped");
        }
        if let Some(bus) = self.built.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Tells elements how the frames after it lie, as cameras do: a tag, which `videoflip video-direction=auto` acts upon. It
/// goes its way between the frames, and outlives those that are dropped.
fn orientation_event(orientation: VideoOrientationMethod) -> gst::Event {
    // The words that `gst_video_orientation_from_tag` reads.
    let word = match orientation {
        VideoOrientationMethod::_90r => "rotate-90",
        VideoOrientationMethod::_180 => "rotate-180",
        VideoOrientationMethod::_90l => "rotate-270",
        VideoOrientationMethod::Horiz => "flip-rotate-0",
        VideoOrientationMethod::UrLl => "flip-rotate-90",
        VideoOrientationMethod::Vert => "flip-rotate-180",
        VideoOrientationMethod::UlLr => "flip-rotate-270",
        _ => "rotate-0",
    };
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::ImageOrientation>(&word, gst::TagMergeMode::Replace);
    gst::event::Tag::new(tags)
}

/// Notes on each frame that goes through an image decoder how far it has come and how long it took.
fn watch_decoder(element: &gst::Element) {
    let is_decoder = element.factory().is_some_and(|factory| {
        let media = gst::ElementFactoryType::MEDIA_IMAGE | gst::ElementFactoryType::MEDIA_VIDEO;
        factory.has_type(gst::ElementFactoryType::DECODER) && factory.has_type(media)
    });
    if !is_decoder || element.is::<gst::Bin>() {
        return;
    }
    let begun = Arc::new(Mutex::new(Instant::now()));
    if let Some(pad) = element.static_pad("sink") {
        let begun = Arc::clone(&begun);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(record) = info.buffer().and_then(|buffer| frame::of(buffer)) {
                record.mark(Progress::Decoding);
                record.add_stage("queue", record.entered.elapsed());
                *begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            }
            gst::PadProbeReturn::Ok
        });
    }
    if let Some(pad) = element.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(record) = info.buffer().and_then(|buffer| frame::of(buffer)) {
                record.mark(Progress::Decoded);
                record.add_stage("decode", begun.lock().unwrap_or_else(PoisonError::into_inner).elapsed());
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Number of results that a classifier withholds; no other element has it.
const COUNTER: &str = "unusable-results";

/// Tells of each result that a classifier withholds because it is no number.
fn watch_classifier(element: &gst::Element, listener: &Arc<dyn Listener>) {
    if element.find_property(COUNTER).is_some() {
        let listener = Arc::clone(listener);
        element.connect_notify(Some(COUNTER), move |_, _| listener.unusable_result());
    }
}

/// Tells of the landmarks that reach a classifier as the tracker tells of those that it finds.
fn watch_landmarks(element: &gst::Element, listener: &Arc<dyn Listener>) {
    let Some(pad) = element.static_pad("sink").filter(|_| element.find_property(COUNTER).is_some()) else {
        return;
    };
    let listener = Arc::clone(listener);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let bytes = info.buffer().and_then(|buffer| Some((buffer, buffer.map_readable().ok()?)));
        if let Some((buffer, bytes)) = bytes
            && let Some(keypoints) = Keypoints::from_le_bytes(&bytes)
        {
            let has_hand = [LEFT_HAND, RIGHT_HAND].into_iter().any(|hand| keypoints.is_present(hand));
            let is_hand_alone = has_hand && !keypoints.is_present(POSE);
            listener.message(&message::of_keypoints(pad, buffer, &keypoints, is_hand_alone, &bytes));
        }
        gst::PadProbeReturn::Ok
    });
}

fn keypoints_caps((width, height): (u32, u32)) -> gst::Caps {
    KeypointsInfo { width, height, framerate: gst::Fraction::new(0, 1) }.to_caps()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Listener for Counter {
        fn payload(&self, _payload: &str, _epoch: u64, _cause: Cause) {}

        fn message(&self, _structure: &gst::StructureRef) {}

        fn throttled(&self, _results: u64) {}

        fn unusable_result(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn failed(&self, error: &PipelineError) {
            panic!("{error}");
        }
    }

    #[test]
    fn every_unusable_result_of_a_classifier_is_told() {
        crate::register_elements().unwrap();
        let counter = Arc::new(Counter::default());
        let listener: Arc<dyn Listener> = Arc::clone(&counter) as _;
        let classifier = gst::ElementFactory::make("lstm-classifier").build().unwrap();
        watch_classifier(&classifier, &listener);
        watch_classifier(&gst::ElementFactory::make("identity").build().unwrap(), &listener);
        classifier.notify("bad-buffers");
        assert_eq!(counter.0.load(Ordering::Relaxed), 0);
        classifier.notify("unusable-results");
        classifier.notify("unusable-results");
        assert_eq!(counter.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn elements_read_the_orientation_that_they_are_told() {
        use VideoOrientationMethod::*;
        gst::init().unwrap();
        for orientation in [Identity, _90r, _180, _90l, Horiz, Vert, UlLr, UrLl] {
            let event = orientation_event(orientation);
            let gst::EventView::Tag(tag) = event.view() else { panic!("{event:?}") };
            assert_eq!(VideoOrientationMethod::from_tag(tag.tag()), Some(orientation));
        }
    }

    #[derive(Default)]
    struct Failures(Mutex<Vec<String>>);

    impl Listener for Failures {
        fn payload(&self, _payload: &str, _epoch: u64, _cause: Cause) {}

        fn message(&self, _structure: &gst::StructureRef) {}

        fn throttled(&self, _results: u64) {}

        fn unusable_result(&self) {}

        fn failed(&self, error: &PipelineError) {
            self.0.lock().unwrap().push(error.to_string());
        }
    }

    /// A new letter flushes everything when the decoder has its first picture and has not told the next element its format.
    #[test]
    fn a_letter_within_moments_of_the_first_frame_is_no_failure_of_the_pipeline() {
        crate::register_elements().unwrap();
        let text = include_str!("../../../pipelines/recognise.toml");
        let path = std::path::Path::new("recognise.toml");
        let file = PipelineFile::parse("recognise", path, text).unwrap();
        let failures = Arc::new(Failures::default());
        let listener: Arc<dyn Listener> = Arc::clone(&failures) as _;
        let mut wiring = Wiring::start(&file, &BTreeMap::new(), false, &listener).unwrap();
        let is_decoder =
            |element: &gst::Element| element.factory().is_some_and(|factory| factory.name() == "jpegdec");
        let elements = wiring.built.pipeline.iterate_elements();
        let decoder = elements.into_iter().flatten().find(is_decoder).unwrap();
        let [sink, src] = ["sink", "src"].map(|name| decoder.static_pad(name).unwrap());
        let (begins, has_begun) = std::sync::mpsc::channel();
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            begins.send(()).unwrap();
            while !src.pad_flags().contains(gst::PadFlags::FLUSHING) {
                std::thread::yield_now();
            }
            gst::PadProbeReturn::Ok
        });
        let picture = gst::Buffer::from_slice(include_bytes!("warm_up.jpg"));
        wiring.push(Frame { buffer: picture, form: Form::Jpeg(VideoOrientationMethod::Identity) });
        has_begun.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert!(!wiring.reset(None, 1), "the decoder bears it: nothing is left to be tested");
        assert_eq!(failures.0.lock().unwrap().as_slice(), [""; 0]);
        assert!(Wiring::start(&file, &BTreeMap::new(), false, &listener).unwrap().reset(None, 1));
    }

    /// A new letter may take away the very frame that told a new size first.
    #[test]
    fn a_size_outlives_the_frame_that_told_it() {
        crate::register_elements().unwrap();
        let text = include_str!("../../../pipelines/landmarks.toml");
        let file = PipelineFile::parse("landmarks", std::path::Path::new("landmarks.toml"), text).unwrap();
        let start = || {
            let listener: Arc<dyn Listener> = Arc::new(Failures::default());
            let wiring = Wiring::start(&file, &BTreeMap::new(), false, &listener).unwrap();
            let is_classifier = |element: &gst::Element| element.find_property(COUNTER).is_some();
            let elements = wiring.built.pipeline.iterate_elements();
            let classifier = elements.into_iter().flatten().find(is_classifier).unwrap();
            (wiring, classifier.static_pad("sink").unwrap())
        };
        let (mut wiring, mut pad) = start();
        for round in 1..=200 {
            let (width, height) = if round % 2 == 0 { (640, 480) } else { (480, 640) };
            let frame = || Frame::of_keypoints(&Keypoints::absent(), width, height);
            wiring.push(frame());
            if !wiring.reset(None, round) {
                // The elements were agreeing on the size.
                (wiring, pad) = start();
            }
            let (ends, has_ended) = std::sync::mpsc::channel();
            let mut last = frame();
            let record = FrameRecord::new(round, round, move |record| ends.send(record.progress()).unwrap());
            frame::attach(last.buffer.make_mut(), &record);
            drop(record);
            wiring.push(last);
            let progress = has_ended.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
            assert_eq!(progress, Progress::Analysed);
            assert_eq!(pad.current_caps(), Some(keypoints_caps((width, height))), "round {round}");
        }
    }
}
