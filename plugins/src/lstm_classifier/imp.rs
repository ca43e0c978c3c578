//! From keypoints to distributions over a model's labels.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use dactyl_config::{Features, Letters, Output, keys};
use dactyl_holistic::keypoints::Keypoints;
use dactyl_letters::{PictureSize, Recognizer, RunError};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::caps::{self, ClassProbabilitiesInfo, KeypointsInfo};
use crate::configured::FromKey;
use crate::flow::{Filter, Pads, always_pads, lock, result_for};
use crate::frame::{self, Progress};
use crate::interrupt::Interrupt;
use crate::letter_target::LetterTarget;
use crate::slots::{Slots, Stream};
use crate::{message, models, start};

const STAGE: &str = "lstm-classifier";
/// Classes that an element message names.
const TOP: usize = 5;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "lstm-classifier",
        gst::DebugColorFlags::empty(),
        Some("Classification of keypoint sequences"),
    )
});

struct State {
    recognizer: Recognizer,
    labels: Vec<String>,
    info: Option<KeypointsInfo>,
    /// Size of the picture of the last frame. Caps alone do not count: a decoder makes some up for a GAP.
    picture: Option<PictureSize>,
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::LstmClassifier)]
pub struct LstmClassifier {
    pads: Pads,
    #[property(
        name = "model", nick = "Model", blurb = "Classifier, an ONNX file; the default one is built into the plugin.",
        default = dactyl_config::process().letters.model.as_str(), mutable_ready,
        type = String, member = model, get, set = Self::set_model
    )]
    #[property(
        name = "window", nick = "Window", key = keys::letters::window(), mutable_ready,
        type = u32, member = window, get, set
    )]
    #[property(
        name = "features", nick = "Features", key = keys::letters::features(), mutable_ready,
        type = Features, member = features, get, set, builder(keys::letters::features().default)
    )]
    #[property(
        name = "labels", nick = "Labels", blurb = keys::letters::labels().sentence(), mutable_ready,
        element_spec = &glib::ParamSpecString::builder("label").nick("Label").blurb("Label of one class.").build(),
        type = gst::Array, get = Self::labels, set = Self::set_labels
    )]
    #[property(
        name = "output", nick = "Output", key = keys::letters::output(), mutable_ready,
        type = Output, member = output, get, set, builder(keys::letters::output().default)
    )]
    #[property(
        name = "nothing-share", nick = "Share of nothing", key = keys::letters::nothing_share(), mutable_playing,
        type = f32, member = nothing_share, get, set
    )]
    #[property(
        name = "other-weight", nick = "Weight of no letter", key = keys::letters::other_weight(), mutable_playing,
        type = f32, member = other_weight, get, set
    )]
    #[property(
        name = "moving", nick = "Moving", blurb = keys::letters::moving().sentence(), mutable_ready,
        element_spec = &glib::ParamSpecString::builder("label").nick("Label").blurb("Label whose sign moves.").build(),
        type = gst::Array, get = Self::moving, set = Self::set_moving
    )]
    #[property(
        name = "post-messages", nick = "Post messages", key = keys::letters::post_messages(), mutable_playing,
        type = bool, member = post_messages, get, set
    )]
    settings: Mutex<Letters>,
    #[property(
        nick = "Least window",
        blurb = "Frames after which there are answers, the first frame standing for the missing ones; 0: the whole window.",
        minimum = 0,
        maximum = 1024,
        default = 0,
        mutable_ready,
        get,
        set
    )]
    min_window: AtomicU32,
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
    #[property(
        nick = "Unusable results",
        blurb = "Number of results withheld because the classifier gave NaN or infinities; each is notified.",
        get
    )]
    unusable_results: AtomicU64,
}

/// What an array of texts holds.
fn texts(array: &gst::Array) -> Vec<String> {
    array.iter().filter_map(|text| text.get().ok()).collect()
}

/// What a frame led to.
struct Answer {
    distribution: Option<Vec<f32>>,
    /// Why there is no distribution although there are enough frames.
    unusable: Option<RunError>,
    fill: (usize, usize),
}

impl LstmClassifier {
    fn set_model(&self, model: Option<String>) {
        lock(&self.settings).model = model.unwrap_or_default();
    }

    fn labels(&self) -> gst::Array {
        gst::Array::new(&lock(&self.settings).labels)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a setter of glib::Properties is given the value itself"
    )]
    fn set_labels(&self, labels: gst::Array) {
        lock(&self.settings).labels = texts(&labels);
    }

    fn moving(&self) -> gst::Array {
        gst::Array::new(&lock(&self.settings).moving)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a setter of glib::Properties is given the value itself"
    )]
    fn set_moving(&self, moving: gst::Array) {
        lock(&self.settings).moving = texts(&moving);
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        start::check_configuration(&*self.obj())?;
        let mut config = lock(&self.settings).clone();
        if config.model != dactyl_config::Config::builtin().letters.model {
            config.model = start::find(&config.model, dactyl_config::Kind::File)?.display().to_string();
        }
        let classifier = models::classifier(&config).map_err(|error| {
            gst::error_msg!(gst::ResourceError::OpenRead, ("The classifier cannot be used: {error}"))
        })?;
        let labels = classifier.labels().to_vec();
        gst::debug!(CAT, imp = self, "{} classes, window of {} frames", labels.len(), classifier.window());
        let mut recognizer = Recognizer::new(classifier, config.nothing_share);
        recognizer.set_min_window(self.min_window.load(Ordering::Relaxed) as usize, &config.moving);
        *lock(&self.state) = Some(State { recognizer, labels, info: None, picture: None });
        Ok(())
    }

    /// Takes keypoint caps and returns those of the distributions.
    fn set_caps(&self, caps: &gst::CapsRef) -> Result<gst::Caps, gst::LoggableError> {
        let info = KeypointsInfo::from_caps(caps)
            .map_err(|error| gst::loggable_error!(CAT, "unusable caps: {error}"))?;
        let mut state = lock(&self.state);
        let state = state.as_mut().ok_or_else(|| gst::loggable_error!(CAT, "not started"))?;
        state.info = Some(info);
        Ok(ClassProbabilitiesInfo { labels: state.labels.clone() }.to_caps())
    }

    fn set_target(&self, event: &gst::EventRef) {
        if let (Some(target), Some(state)) = (LetterTarget::from_event(event), &mut *lock(&self.state)) {
            state.recognizer.set_target(target.letter.as_deref());
        }
    }

    fn clear(&self) {
        if let Some(state) = &mut *lock(&self.state) {
            state.recognizer.clear();
        }
    }

    /// Classifies a frame. `Ok(None)` if the buffer holds no keypoints.
    fn classify(
        &self,
        buffer: &gst::BufferRef,
        settings: &Letters,
    ) -> Result<Option<Answer>, gst::FlowError> {
        let mut state = lock(&self.state);
        let State { recognizer, info, picture: last, .. } = state.as_mut().ok_or(gst::FlowError::Flushing)?;
        let info = info.ok_or(gst::FlowError::NotNegotiated)?;
        let bytes = buffer.map_readable().ok();
        let Some(keypoints) = bytes.and_then(|bytes| Keypoints::from_le_bytes(&bytes)) else {
            return Ok(None);
        };
        recognizer.set_nothing_share(settings.nothing_share);
        recognizer.set_other_weight(settings.other_weight);
        let picture = PictureSize { width: info.width, height: info.height };
        if *last != Some(picture) {
            // Another camera, or the same one turned: what came before is not the beginning of this.
            recognizer.clear();
            *last = Some(picture);
        }
        let cancel = self.interrupt.cancel();
        let answer = if recognizer.classifier().is_costly() {
            // As much work as the analysis of a frame: it waits for its turn, and gives way, as that does.
            let slot = Slots::shared().acquire(&self.stream, cancel).map_err(|_| gst::FlowError::Flushing)?;
            slot.run(|| recognizer.push(&keypoints, picture, cancel))
        } else {
            recognizer.push(&keypoints, picture, cancel)
        };
        match answer {
            Ok(distribution) => Ok(Some(Answer { distribution, unusable: None, fill: recognizer.fill() })),
            Err(error @ RunError::NotFinite { .. }) => {
                Ok(Some(Answer { distribution: None, unusable: Some(error), fill: recognizer.fill() }))
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

    /// Counts every unusable result, but tells of the first alone: a stream may bring many a second.
    fn note_unusable(&self, error: &RunError) {
        if self.unusable_results.fetch_add(1, Ordering::Relaxed) == 0 {
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Failed,
                ("{error}; such results are withheld and counted")
            );
        }
        self.obj().notify_unusable_results();
    }

    fn post(&self, buffer: &gst::BufferRef, answer: &Answer) {
        let count = |frames: usize| u32::try_from(frames).unwrap_or(u32::MAX);
        let mut message = message::about(&self.pads.sink, STAGE, buffer)
            .field("filled", count(answer.fill.0))
            .field("window", count(answer.fill.1));
        if let Some(distribution) = &answer.distribution {
            let labels = lock(&self.state).as_ref().map(|state| state.labels.clone()).unwrap_or_default();
            let mut classes: Vec<(String, f32)> =
                labels.into_iter().zip(distribution.iter().copied()).collect();
            classes.sort_by(|a, b| b.1.total_cmp(&a.1));
            classes.truncate(TOP);
            let nothing = (1.0 - distribution.iter().sum::<f32>()).clamp(0.0, 1.0);
            message = message
                .field("nothing", nothing)
                .field("labels", gst::Array::new(classes.iter().map(|(label, _)| label)))
                .field("probabilities", gst::Array::new(classes.iter().map(|(_, probability)| *probability)));
        }
        message::post(&*self.obj(), message.build());
    }
}

#[glib::object_subclass]
impl ObjectSubclass for LstmClassifier {
    const NAME: &'static str = "GstDactylLstmClassifier";
    type Type = super::LstmClassifier;
    type ParentType = gst::Element;

    fn new() -> Self {
        Self {
            pads: Pads::new::<Self>(),
            settings: Mutex::new(dactyl_config::process().letters.clone()),
            state: Mutex::new(None),
            interrupt: Interrupt::default(),
            stream: Stream::default(),
            min_window: AtomicU32::new(0),
            bad_buffers: AtomicU64::new(0),
            unusable_results: AtomicU64::new(0),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for LstmClassifier {
    fn constructed(&self) {
        self.parent_constructed();
        self.pads.add_to(&*self.obj());
    }
}

impl GstObjectImpl for LstmClassifier {}

impl ElementImpl for LstmClassifier {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "LSTM classifier",
                "Filter/Analyzer",
                "Classifies the last frames of keypoints, for example as a letter of the manual alphabet",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| always_pads(&caps::any_keypoints(), &caps::any_class_probabilities()));
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
                    state.recognizer.clear();
                    state.info = None;
                }
            }
            gst::StateChange::ReadyToNull => *lock(&self.state) = None,
            _ => (),
        }
        Ok(success)
    }
}

impl Filter for LstmClassifier {
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let begin = Instant::now();
        let settings = lock(&self.settings).clone();
        let Some(answer) = self.classify(&buffer, &settings)? else {
            self.bad_buffers.fetch_add(1, Ordering::Relaxed);
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Skipped a buffer that holds no keypoints"),
                ["{} bytes", buffer.size()]
            );
            return Ok(self.pads.withhold(&buffer));
        };
        if let Some(record) = frame::of(&buffer) {
            record.mark(Progress::Analysed);
            record.add_stage(STAGE, begin.elapsed());
        }
        if let Some(error) = &answer.unusable {
            self.note_unusable(error);
        }
        if settings.post_messages {
            self.post(&buffer, &answer);
        }
        match answer.distribution {
            Some(distribution) => {
                let result = result_for(&buffer, ClassProbabilitiesInfo::write(&distribution));
                self.pads.src.push(result)
            }
            None => Ok(self.pads.withhold(&buffer)),
        }
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
            gst::EventView::FlushStop(_) => {
                self.interrupt.lift();
                self.clear();
            }
            gst::EventView::StreamStart(_) => self.clear(),
            gst::EventView::CustomDownstreamSticky(_) => self.set_target(&event),
            _ => (),
        }
        self.pads.forward(&*self.obj(), event)
    }
}
