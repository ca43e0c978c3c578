//! From pictures to keypoints.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use dactyl_config::{Holistic, Part, Profile, TrackerClock, keys};
use dactyl_holistic::keypoints;
use dactyl_holistic::{Networks, RunError, Tracker};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;

use super::parts::Parts;
use super::time::FrameTime;
use crate::caps::{self, KeypointsInfo};
use crate::configured::FromKey;
use crate::flow::{Filter, Pads, always_pads, lock, result_for};
use crate::interrupt::Interrupt;
use crate::slots::{Slots, Stream};
use crate::{frame, message, models, picture, start};

const STAGE: &str = "holistic-keypoints";
/// Waiting for the other streams is no work of this element, and is measured apart.
const WAIT_STAGE: &str = "inference-slot";

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("holistic-keypoints", gst::DebugColorFlags::empty(), Some("Holistic tracking"))
});

fn options(settings: &Holistic) -> dactyl_holistic::Options {
    dactyl_holistic::Options {
        profile: models::profile(settings.profile),
        min_detection_confidence: settings.min_detection_confidence,
        min_tracking_confidence: settings.min_tracking_confidence,
    }
}

struct State {
    tracker: Tracker,
    /// Pixels of a picture that comes in another form.
    rgb: Vec<u8>,
    info: Option<gst_video::VideoInfo>,
    /// Size of the last picture that was analysed. Caps alone do not count: a decoder makes some up for a GAP before
    /// its first picture.
    size: Option<(u32, u32)>,
    time: FrameTime,
}

impl State {
    fn reset(&mut self) {
        self.tracker.reset();
        self.size = None;
        self.time = FrameTime::default();
    }
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::HolisticKeypoints)]
pub struct HolisticKeypoints {
    pads: Pads,
    #[property(
        nick = "Models", mutable_ready, type = String, get, set = Self::set_models,
        blurb = "Folder of the fetched networks, from the working directory or where the configuration looks.",
        default = dactyl_config::process().models.directory.as_str()
    )]
    models: Mutex<String>,
    #[property(
        name = "profile", nick = "Profile", key = keys::holistic::profile(), mutable_ready,
        type = Profile, member = profile, get, set, builder(keys::holistic::profile().default)
    )]
    #[property(
        name = "parts", nick = "Parts", mutable_ready, type = Parts, get = Self::parts, set = Self::set_parts,
        blurb = "Networks that run, joined by +; keypoints of parts left out are NaN, and pose may not be left out.",
        default = Parts::of(&dactyl_config::process().holistic.parts)
    )]
    #[property(
        name = "hands-alone", nick = "Hands alone", key = keys::holistic::hands_alone(), mutable_ready,
        type = bool, member = hands_alone, get, set
    )]
    #[property(
        name = "min-detection-confidence", nick = "Least detection confidence",
        key = keys::holistic::min_detection_confidence(), mutable_playing,
        type = f32, member = min_detection_confidence, get, set
    )]
    #[property(
        name = "min-tracking-confidence", nick = "Least tracking confidence",
        key = keys::holistic::min_tracking_confidence(), mutable_playing,
        type = f32, member = min_tracking_confidence, get, set
    )]
    #[property(
        name = "clock", nick = "Clock", key = keys::holistic::clock(), mutable_playing,
        type = TrackerClock, member = clock, get, set, builder(keys::holistic::clock().default)
    )]
    #[property(
        name = "post-messages", nick = "Post messages", key = keys::holistic::post_messages(), mutable_playing,
        type = bool, member = post_messages, get, set
    )]
    settings: Mutex<Holistic>,
    state: Mutex<Option<State>>,
    /// Outside of the state, because a flush ends a run while the state is in use.
    interrupt: Interrupt,
    stream: Stream,
    #[property(
        nick = "Bad buffers",
        blurb = "Number of buffers skipped because they did not hold what the caps say.",
        get
    )]
    bad_buffers: AtomicU64,
}

impl HolisticKeypoints {
    fn set_models(&self, models: Option<String>) {
        *lock(&self.models) = models.unwrap_or_default();
    }

    fn parts(&self) -> Parts {
        Parts::of(&lock(&self.settings).parts)
    }

    fn set_parts(&self, parts: Parts) {
        lock(&self.settings).parts = parts.into();
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        start::check_configuration(&*self.obj())?;
        let settings = lock(&self.settings).clone();
        if !settings.parts.contains(&Part::Pose) {
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("The property \"parts\" lacks \"pose\", which the other parts depend on")
            ));
        }
        let directory = start::find(&lock(&self.models).clone(), dactyl_config::Kind::Directory)?;
        let parts = models::parts(&settings);
        let networks = Networks::load(&directory, parts).map_err(|error| {
            gst::error_msg!(gst::ResourceError::OpenRead, ("The networks cannot be loaded: {error}"))
        })?;
        *lock(&self.state) = Some(State {
            tracker: Tracker::new(networks, options(&settings)),
            rgb: Vec::new(),
            info: None,
            size: None,
            time: FrameTime::default(),
        });
        Ok(())
    }

    /// Takes the caps of pictures and returns those of their keypoints.
    fn set_caps(&self, caps: &gst::CapsRef) -> Result<gst::Caps, gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|error| gst::loggable_error!(CAT, "unusable caps {caps}: {error}"))?;
        if !caps::video().can_intersect(caps) {
            return Err(gst::loggable_error!(CAT, "{caps} instead of {}", caps::video()));
        }
        let keypoints = KeypointsInfo::of_video(&info).to_caps();
        let mut state = lock(&self.state);
        state.as_mut().ok_or_else(|| gst::loggable_error!(CAT, "not started"))?.info = Some(info);
        Ok(keypoints)
    }

    fn reset(&self) {
        if let Some(state) = &mut *lock(&self.state) {
            state.reset();
        }
    }

    /// Stream time of a buffer in microseconds.
    fn stream_time(&self, buffer: &gst::BufferRef) -> Option<i64> {
        let segment = self.pads.sink.sticky_event::<gst::event::Segment>(0)?;
        let segment = segment.segment();
        let time = segment.downcast_ref::<gst::ClockTime>()?.to_stream_time(buffer.pts())?;
        i64::try_from(time.useconds()).ok()
    }

    /// Analyses a picture. `Ok(None)` if the buffer holds none.
    fn analyse(
        &self,
        buffer: &gst::BufferRef,
        settings: &Holistic,
    ) -> Result<Option<dactyl_holistic::Frame>, gst::FlowError> {
        let mut state = lock(&self.state);
        let state = state.as_mut().ok_or(gst::FlowError::Flushing)?;
        let info = state.info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        let Some(frame) = picture::map(buffer, info) else {
            return Ok(None);
        };
        let begin = Instant::now();
        let Some(picture) = picture::rgb(&frame, &mut state.rgb) else {
            return Ok(None);
        };
        let converted = begin.elapsed();
        let Ok(slot) = Slots::shared().acquire(&self.stream, self.interrupt.cancel()) else {
            return Err(gst::FlowError::Flushing);
        };
        let waited = begin.elapsed() - converted;
        let size = Some((frame.width(), frame.height()));
        if state.size != size {
            state.tracker.reset();
            state.time = FrameTime::default();
        }
        state.tracker.set_options(options(settings));
        let own = match settings.clock {
            TrackerClock::Pts => self.stream_time(buffer),
            TrackerClock::Fixed => None,
        };
        let time = state.time.next(own);
        match slot.run(|| state.tracker.process_with(&slot, &picture, time, self.interrupt.cancel())) {
            Ok(frame) => {
                state.size = size;
                state.time.passed(time);
                if let Some(record) = frame::of(buffer) {
                    record.add_stage(WAIT_STAGE, waited);
                    record.add_stage(STAGE, begin.elapsed() - waited);
                }
                Ok(Some(frame))
            }
            Err(RunError::Cancelled(_)) => {
                frame::note_cancelled(buffer, &self.interrupt);
                Err(gst::FlowError::Flushing)
            }
            Err(error) => {
                gst::element_imp_error!(self, gst::LibraryError::Failed, ("{error}"));
                Err(gst::FlowError::Error)
            }
        }
    }

    fn post(&self, buffer: &gst::BufferRef, frame: &dactyl_holistic::Frame, bytes: &[u8]) {
        let message =
            message::of_keypoints(&self.pads.sink, buffer, &frame.keypoints, frame.is_hand_alone, bytes);
        message::post(&*self.obj(), message);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for HolisticKeypoints {
    const NAME: &'static str = "GstDactylHolisticKeypoints";
    type Type = super::HolisticKeypoints;
    type ParentType = gst::Element;

    fn new() -> Self {
        let config = dactyl_config::process();
        Self {
            pads: Pads::new::<Self>(),
            models: Mutex::new(config.models.directory.clone()),
            settings: Mutex::new(config.holistic.clone()),
            state: Mutex::new(None),
            interrupt: Interrupt::default(),
            stream: Stream::default(),
            bad_buffers: AtomicU64::new(0),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for HolisticKeypoints {
    fn constructed(&self) {
        self.parent_constructed();
        self.pads.add_to(&*self.obj());
    }
}

impl GstObjectImpl for HolisticKeypoints {}

impl ElementImpl for HolisticKeypoints {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Holistic keypoints",
                "Filter/Analyzer/Video",
                "Finds a person's body, face and hands with the MediaPipe Holistic networks",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| always_pads(&caps::video(), &caps::any_keypoints()));
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => {
                if let Err(error) = self.start() {
                    self.post_error_message(error);
                    return Err(gst::StateChangeError);
                }
            }
            gst::StateChange::ReadyToPaused => self.interrupt.lift(),
            // The pads stop only when the frame in work has ended.
            gst::StateChange::PausedToReady => self.interrupt.begin(),
            _ => (),
        }
        let success = self.parent_change_state(transition)?;
        match transition {
            gst::StateChange::PausedToReady => {
                if let Some(state) = &mut *lock(&self.state) {
                    state.reset();
                    state.info = None;
                }
            }
            gst::StateChange::ReadyToNull => *lock(&self.state) = None,
            _ => (),
        }
        Ok(success)
    }
}

impl Filter for HolisticKeypoints {
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let settings = lock(&self.settings).clone();
        let Some(frame) = self.analyse(&buffer, &settings)? else {
            self.bad_buffers.fetch_add(1, Ordering::Relaxed);
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Skipped a buffer that holds no picture"),
                ["{} bytes", buffer.size()]
            );
            return Ok(self.pads.withhold(&buffer));
        };
        let mut bytes = vec![0; keypoints::BYTES];
        frame.keypoints.write_le_bytes(&mut bytes);
        if settings.post_messages {
            self.post(&buffer, &frame, &bytes);
        }
        let result = result_for(&buffer, bytes);
        // The picture is not needed downstream; its memory goes back to the decoder.
        drop(buffer);
        self.pads.src.push(result)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        gst::log!(CAT, imp = self, "{:?}", event.type_());
        match event.view() {
            gst::EventView::Caps(caps) => {
                return match self.set_caps(caps.caps()) {
                    Ok(caps) => self.pads.src.push_event(gst::event::Caps::new(&caps)),
                    Err(error) => {
                        error.log_with_imp(self);
                        false
                    }
                };
            }
            gst::EventView::FlushStart(_) => self.interrupt.begin(),
            gst::EventView::FlushStop(flush) => {
                self.interrupt.lift();
                // The same person stands in front of the same camera unless the time starts anew.
                if flush.resets_time() {
                    self.reset();
                }
            }
            gst::EventView::StreamStart(_) => self.reset(),
            _ => (),
        }
        self.pads.forward(&*self.obj(), event)
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut() {
            // Any stride will do, so a decoder may pad its rows rather than copy them.
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return true;
        }
        gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }
}
