//! From pictures to keypoints.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use dactyl_models::holistic::{self, Networks, Tracker};
use dactyl_models::keypoints::{self, Keypoints};
use dactyl_models::runtime::{Cancel, RunError, Slots};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;

use super::time::FrameTime;
use super::{Clock, Parts, Profile};
use crate::caps::{self, KeypointsInfo};
use crate::flow::{Filter, Pads, always_pads, lock, result_for, typed};
use crate::{frame, message, picture, start};

const STAGE: &str = "holistic-keypoints";
/// Waiting for the other streams is no work of this element, and is measured apart.
const WAIT_STAGE: &str = "inference-slot";

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("holistic-keypoints", gst::DebugColorFlags::empty(), Some("Holistic tracking"))
});

#[derive(Debug, Clone)]
struct Settings {
    models: String,
    profile: Profile,
    parts: Parts,
    min_detection_confidence: f32,
    min_tracking_confidence: f32,
    clock: Clock,
    post_messages: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let config = dactyl_config::process();
        Self {
            models: config.models.directory.clone(),
            profile: config.holistic.profile.into(),
            parts: Parts::configured(&config.holistic.parts),
            min_detection_confidence: config.holistic.min_detection_confidence,
            min_tracking_confidence: config.holistic.min_tracking_confidence,
            clock: config.holistic.clock.into(),
            post_messages: config.holistic.post_messages,
        }
    }
}

impl Settings {
    fn parts(&self) -> holistic::Parts {
        holistic::Parts { hands: self.parts.contains(Parts::HANDS), face: self.parts.contains(Parts::FACE) }
    }

    fn options(&self) -> holistic::Options {
        holistic::Options {
            profile: self.profile.into(),
            min_detection_confidence: self.min_detection_confidence,
            min_tracking_confidence: self.min_tracking_confidence,
        }
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

pub struct HolisticKeypoints {
    pads: Pads,
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    /// Outside of the state, because a flush ends a run while the state is in use.
    cancel: Cancel,
    bad_buffers: AtomicU64,
}

impl HolisticKeypoints {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        start::check_configuration()?;
        let settings = lock(&self.settings).clone();
        if !settings.parts.contains(Parts::POSE) {
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("The property \"parts\" lacks \"pose\", which the other parts depend on")
            ));
        }
        let directory = start::find(&settings.models, dactyl_config::Kind::Directory)?;
        start::load_runtime_of(&directory)?;
        let profile = settings.profile.into();
        let networks = Networks::load_for(profile, &directory, settings.parts()).map_err(|error| {
            gst::error_msg!(gst::ResourceError::OpenRead, ("The networks cannot be loaded: {error}"))
        })?;
        *lock(&self.state) = Some(State {
            tracker: Tracker::new(networks, settings.options()),
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
        settings: &Settings,
    ) -> Result<Option<Keypoints>, gst::FlowError> {
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
        let Ok(slot) = Slots::shared().acquire(&self.cancel) else {
            return Err(gst::FlowError::Flushing);
        };
        let waited = begin.elapsed() - converted;
        let size = Some((frame.width(), frame.height()));
        if state.size != size {
            state.tracker.reset();
            state.time = FrameTime::default();
        }
        state.tracker.set_options(settings.options());
        let own = match settings.clock {
            Clock::Pts => self.stream_time(buffer),
            Clock::Fixed => None,
        };
        let time = state.time.next(own);
        match slot.run(|| state.tracker.process_in(Some(&slot), &picture, time, &self.cancel)) {
            Ok(frame) => {
                state.size = size;
                state.time.passed(time);
                if let Some(record) = frame::of(buffer) {
                    record.add_stage(WAIT_STAGE, waited);
                    record.add_stage(STAGE, begin.elapsed() - waited);
                }
                Ok(Some(frame.keypoints))
            }
            Err(RunError::Cancelled(_)) => {
                frame::note_cancelled(buffer, &self.cancel);
                Err(gst::FlowError::Flushing)
            }
            Err(error) => {
                gst::element_imp_error!(self, gst::LibraryError::Failed, ("{error}"));
                Err(gst::FlowError::Error)
            }
        }
    }

    fn post(&self, buffer: &gst::BufferRef, keypoints: &Keypoints, bytes: &[u8]) {
        let message = message::about(&self.pads.sink, STAGE, buffer)
            .field("pose", keypoints.is_present(keypoints::POSE))
            .field("face", keypoints.is_present(keypoints::FACE))
            .field("left-hand", keypoints.is_present(keypoints::LEFT_HAND))
            .field("right-hand", keypoints.is_present(keypoints::RIGHT_HAND))
            .field("landmarks", glib::Bytes::from(bytes))
            .build();
        message::post(&*self.obj(), message);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for HolisticKeypoints {
    const NAME: &'static str = "GstDactylHolisticKeypoints";
    type Type = super::HolisticKeypoints;
    type ParentType = gst::Element;

    fn new() -> Self {
        Self {
            pads: Pads::new::<Self>(),
            settings: Mutex::new(Settings::default()),
            state: Mutex::new(None),
            cancel: Cancel::new(),
            bad_buffers: AtomicU64::new(0),
        }
    }
}

impl ObjectImpl for HolisticKeypoints {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let defaults = Settings::default();
            let confidence = |name, nick, blurb, default| {
                glib::ParamSpecFloat::builder(name)
                    .nick(nick)
                    .blurb(blurb)
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default)
                    .mutable_playing()
                    .build()
            };
            vec![
                glib::ParamSpecString::builder("models")
                    .nick("Models")
                    .blurb("Folder of the imported networks, from the working directory or where the configuration looks.")
                    .default_value(Some(defaults.models.as_str()))
                    .mutable_ready()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("profile", defaults.profile)
                    .nick("Profile")
                    .blurb("What matters more: MediaPipe's landmarks, or time.")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecFlags::builder::<Parts>("parts")
                    .nick("Parts")
                    .blurb("Networks that run, joined by +; keypoints of parts left out are NaN, and pose may not be left out.")
                    .default_value(defaults.parts)
                    .mutable_ready()
                    .build(),
                confidence(
                    "min-detection-confidence",
                    "Least detection confidence",
                    "Score from which a detected person counts.",
                    defaults.min_detection_confidence,
                ),
                confidence(
                    "min-tracking-confidence",
                    "Least tracking confidence",
                    "Presence of the pose from which a tracked person is still followed.",
                    defaults.min_tracking_confidence,
                ),
                glib::ParamSpecEnum::builder_with_default("clock", defaults.clock)
                    .nick("Clock")
                    .blurb("Time that the smoothing filters live in.")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("post-messages")
                    .nick("Post messages")
                    .blurb("Whether each frame posts an element message with the parts seen and their landmarks.")
                    .default_value(defaults.post_messages)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt64::builder("bad-buffers")
                    .nick("Bad buffers")
                    .blurb("Number of buffers skipped because they did not hold what the caps say.")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        match pspec.name() {
            "models" => settings.models = typed::<Option<String>>(value).unwrap_or_default(),
            "profile" => settings.profile = typed(value),
            "parts" => settings.parts = typed(value),
            "min-detection-confidence" => settings.min_detection_confidence = typed(value),
            "min-tracking-confidence" => settings.min_tracking_confidence = typed(value),
            "clock" => settings.clock = typed(value),
            "post-messages" => settings.post_messages = typed(value),
            name => unreachable!("GObject knows no writable property {name}"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match pspec.name() {
            "models" => settings.models.to_value(),
            "profile" => settings.profile.to_value(),
            "parts" => settings.parts.to_value(),
            "min-detection-confidence" => settings.min_detection_confidence.to_value(),
            "min-tracking-confidence" => settings.min_tracking_confidence.to_value(),
            "clock" => settings.clock.to_value(),
            "post-messages" => settings.post_messages.to_value(),
            "bad-buffers" => self.bad_buffers.load(Ordering::Relaxed).to_value(),
            name => unreachable!("GObject knows no property {name}"),
        }
    }

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
            gst::StateChange::ReadyToPaused => self.cancel.rearm(),
            // The pads stop only when the frame in work has ended.
            gst::StateChange::PausedToReady => self.cancel.cancel(),
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
        let Some(keypoints) = self.analyse(&buffer, &settings)? else {
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
        keypoints.write_le_bytes(&mut bytes);
        if settings.post_messages {
            self.post(&buffer, &keypoints, &bytes);
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
            gst::EventView::FlushStart(_) => self.cancel.cancel(),
            gst::EventView::FlushStop(flush) => {
                self.cancel.rearm();
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
