//! From distributions to the payloads that are worth sending.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use dactyl_config::{PayloadFormat, ThrottleClock, keys};
use dactyl_letters::{Feedback, Throttle, label_index};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::caps::{self, ClassProbabilitiesInfo};
use crate::configured::FromKey;
use crate::flow::{Filter, Pads, always_pads, lock, result_for};
use crate::frame::{self, Progress};
use crate::letter_target::LetterTarget;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "feedback-throttle",
        gst::DebugColorFlags::empty(),
        Some("Throttling of feedback"),
    )
});

fn payload(feedback: &Feedback, format: PayloadFormat) -> Vec<u8> {
    match format {
        PayloadFormat::Json => feedback.to_json(),
        PayloadFormat::JsonLines => feedback.to_json() + "\n",
        PayloadFormat::Letter => feedback.maxarg_letter.clone(),
    }
    .into_bytes()
}

struct State {
    info: Option<ClassProbabilitiesInfo>,
    /// What the last `letter-target` event said. While there is one, the property `target` is not asked.
    event: Option<(gst::Seqnum, LetterTarget)>,
    /// A 0 % payload that could not be sent yet because the stream has not begun.
    reset_due: bool,
    /// Presentation time of the last frame or GAP.
    position: Option<gst::ClockTime>,
    throttle: Throttle,
}

impl State {
    fn new() -> Self {
        Self {
            info: None,
            event: None,
            reset_due: false,
            position: None,
            throttle: Throttle::new(Duration::ZERO, 0.0),
        }
    }

    fn epoch(&self) -> u64 {
        self.event.as_ref().map_or(0, |(_, target)| target.epoch)
    }
}

/// What becomes of a buffer.
enum Verdict {
    Send(Feedback),
    Throttled,
    Stale,
    Bad,
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::FeedbackThrottle)]
pub struct FeedbackThrottle {
    pads: Pads,
    #[property(
        nick = "Target",
        mutable_playing,
        get,
        set,
        blurb = "Label that is practised, in any case; empty or none of the labels means no target. The last letter-target event wins over this."
    )]
    target: Mutex<Option<String>>,
    #[property(
        name = "min-interval", nick = "Least interval", key = keys::feedback::min_interval_ms(), mutable_playing,
        type = u32, member = min_interval_ms, get, set
    )]
    #[property(
        name = "min-change", nick = "Least change", key = keys::feedback::min_change(), mutable_playing,
        type = f32, member = min_change, get, set
    )]
    #[property(
        name = "on-reset", nick = "Payload on reset", key = keys::feedback::on_reset(), mutable_playing,
        type = bool, member = on_reset, get, set
    )]
    #[property(
        name = "clock", nick = "Clock", key = keys::feedback::clock(), mutable_playing,
        type = ThrottleClock, member = clock, get, set, builder(keys::feedback::clock().default)
    )]
    #[property(
        name = "format", nick = "Format", key = keys::feedback::format(), mutable_playing,
        type = PayloadFormat, member = format, get, set, builder(keys::feedback::format().default)
    )]
    settings: Mutex<dactyl_config::Feedback>,
    state: Mutex<State>,
    #[property(nick = "Sent", blurb = "Number of payloads sent, those of resets included.", get)]
    sent: AtomicU64,
    #[property(
        nick = "Throttled",
        blurb = "Number of results withheld because they came too soon or said nothing new.",
        get
    )]
    throttled: AtomicU64,
    #[property(
        nick = "Stale",
        blurb = "Number of results thrown away because their frame is older than the last reset.",
        get
    )]
    stale: AtomicU64,
    #[property(
        nick = "Bad buffers",
        blurb = "Number of buffers skipped because they did not hold what the caps say.",
        get
    )]
    bad_buffers: AtomicU64,
}

impl FeedbackThrottle {
    fn set_caps(&self, caps: &gst::CapsRef) -> Result<(), gst::LoggableError> {
        let info = ClassProbabilitiesInfo::from_caps(caps)
            .map_err(|error| gst::loggable_error!(CAT, "unusable caps: {error}"))?;
        let mut state = lock(&self.state);
        if state.info.as_ref() != Some(&info) {
            state.throttle.clear();
            state.info = Some(info);
        }
        Ok(())
    }

    /// The time that `min-interval` is counted in, for a frame with this presentation time.
    fn now(&self, clock: ThrottleClock, pts: Option<gst::ClockTime>) -> Duration {
        let running_time = || {
            // There is no clock before the pipeline plays; the first frame shows at about the time it stands for.
            self.obj().current_running_time().or_else(|| {
                let segment = self.pads.src.sticky_event::<gst::event::Segment>(0)?;
                segment.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(pts)
            })
        };
        let time = match clock {
            ThrottleClock::Pts => pts.or_else(running_time),
            ThrottleClock::RunningTime => running_time(),
        };
        time.map_or(Duration::ZERO, Duration::from)
    }

    fn judge(
        &self,
        buffer: &gst::BufferRef,
        settings: &dactyl_config::Feedback,
    ) -> Result<Verdict, gst::FlowError> {
        let mut state = lock(&self.state);
        let epoch = state.epoch();
        if buffer.pts().is_some() {
            state.position = buffer.pts();
        }
        let State { info, event, throttle, position, .. } = &mut *state;
        let info = info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        if frame::epoch_of(buffer).is_some_and(|of_buffer| of_buffer < epoch) {
            return Ok(Verdict::Stale);
        }
        let Some(distribution) = buffer.map_readable().ok().and_then(|bytes| info.read(&bytes)) else {
            return Ok(Verdict::Bad);
        };
        let letter = match event {
            Some((_, target)) => target.letter.clone(),
            None => lock(&self.target).clone(),
        };
        let target = letter.and_then(|letter| label_index(&info.labels, &letter));
        let feedback = Feedback::read(&distribution, &info.labels, target);
        throttle.set_limits(Duration::from_millis(settings.min_interval_ms.into()), settings.min_change);
        Ok(if throttle.pass(self.now(settings.clock, *position), &feedback) {
            Verdict::Send(feedback)
        } else {
            Verdict::Throttled
        })
    }

    /// Takes a new target: forgets what was sent and owes the 0 % payload.
    fn set_target(&self, seqnum: gst::Seqnum, target: LetterTarget) {
        let on_reset = lock(&self.settings).on_reset;
        let mut state = lock(&self.state);
        // A sticky event comes again after a relink; it is one reset all the same.
        if state.event.as_ref().is_some_and(|(last, _)| *last == seqnum) {
            return;
        }
        if let (Some(info), Some(letter)) = (&state.info, &target.letter)
            && label_index(&info.labels, letter).is_none()
        {
            gst::warning!(CAT, imp = self, "the new target is none of the model's labels");
        }
        state.event = Some((seqnum, target));
        state.throttle.clear();
        state.reset_due = on_reset;
    }

    /// Sends the 0 % payload that is owed, if any, as soon as the stream has begun: no buffer may precede its segment.
    /// `begin` makes a segment up rather than wait for one, because nothing says that another will come: a live source
    /// sends its segment with its first frame, and a reset before that is answered all the same.
    fn answer_reset(&self, begin: bool) {
        let src = &self.pads.src;
        if src.sticky_event::<gst::event::StreamStart>(0).is_none() {
            return;
        }
        let segment = src.sticky_event::<gst::event::Segment>(0);
        if segment.is_none() && !begin {
            return;
        }
        let settings = lock(&self.settings).clone();
        let (mut buffer, epoch) = {
            let mut state = lock(&self.state);
            if !std::mem::take(&mut state.reset_due) {
                return;
            }
            let feedback = Feedback::reset();
            let mut buffer = gst::Buffer::from_mut_slice(payload(&feedback, settings.format));
            let start = segment
                .as_ref()
                .and_then(|segment| segment.segment().downcast_ref::<gst::ClockTime>()?.start())
                .unwrap_or(gst::ClockTime::ZERO);
            buffer.make_mut().set_pts(state.position.unwrap_or(start));
            let now = self.now(settings.clock, buffer.pts());
            state.throttle.sent(now, feedback);
            (buffer, state.epoch())
        };
        frame::attach_epoch(buffer.make_mut(), epoch);
        self.push_caps();
        if segment.is_none() {
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            src.push_event(gst::event::Segment::new(&segment));
        }
        match src.push(buffer) {
            Ok(_) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            // The next buffer is told the same, and then the source is.
            Err(error) => gst::debug!(CAT, imp = self, "the payload of a reset was not taken: {error}"),
        }
    }

    /// Announces text. The caps are always the same, so they need not wait for those of the distributions.
    fn push_caps(&self) {
        if self.pads.src.current_caps().is_none() {
            self.pads.src.push_event(gst::event::Caps::new(&caps::feedback()));
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FeedbackThrottle {
    const NAME: &'static str = "GstDactylFeedbackThrottle";
    type Type = super::FeedbackThrottle;
    type ParentType = gst::Element;

    fn new() -> Self {
        Self {
            pads: Pads::new::<Self>(),
            target: Mutex::new(None),
            settings: Mutex::new(dactyl_config::process().feedback.clone()),
            state: Mutex::new(State::new()),
            sent: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            bad_buffers: AtomicU64::new(0),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for FeedbackThrottle {
    fn constructed(&self) {
        self.parent_constructed();
        self.pads.add_to(&*self.obj());
    }
}

impl GstObjectImpl for FeedbackThrottle {}

impl ElementImpl for FeedbackThrottle {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Feedback throttle",
                "Filter/Converter",
                "Turns class probabilities into feedback and passes on what is news",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| always_pads(&caps::any_class_probabilities(), &caps::feedback()));
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            *lock(&self.state) = State::new();
        }
        Ok(success)
    }
}

impl Filter for FeedbackThrottle {
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.answer_reset(true);
        let settings = lock(&self.settings).clone();
        if let Some(record) = frame::of(&buffer) {
            record.mark(Progress::Analysed);
        }
        let feedback = match self.judge(&buffer, &settings)? {
            Verdict::Send(feedback) => feedback,
            Verdict::Throttled => {
                self.throttled.fetch_add(1, Ordering::Relaxed);
                return Ok(self.pads.withhold(&buffer));
            }
            Verdict::Stale => {
                self.stale.fetch_add(1, Ordering::Relaxed);
                return Ok(self.pads.withhold(&buffer));
            }
            Verdict::Bad => {
                self.bad_buffers.fetch_add(1, Ordering::Relaxed);
                gst::element_imp_warning!(
                    self,
                    gst::StreamError::Format,
                    ("Skipped a buffer that holds no distribution"),
                    ["{} bytes", buffer.size()]
                );
                return Ok(self.pads.withhold(&buffer));
            }
        };
        let result = result_for(&buffer, payload(&feedback, settings.format));
        // The input may be the last to hold its frame; the payload holds it from here on.
        drop(buffer);
        let success = self.pads.src.push(result)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(success)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        gst::log!(CAT, imp = self, "{:?}", event.type_());
        let element = self.obj();
        match event.view() {
            gst::EventView::Caps(caps) => {
                if let Err(error) = self.set_caps(caps.caps()) {
                    error.log_with_imp(self);
                    return false;
                }
                self.push_caps();
                return true;
            }
            gst::EventView::Segment(_) => {
                // Caps go before the segment, and those of the distributions may come late.
                self.push_caps();
                let forwarded = self.pads.forward(&*element, event);
                self.answer_reset(false);
                return forwarded;
            }
            gst::EventView::Gap(gap) => {
                self.answer_reset(true);
                lock(&self.state).position = Some(gap.get().0);
            }
            gst::EventView::Eos(_) => self.answer_reset(true),
            gst::EventView::FlushStop(flush) => {
                let mut state = lock(&self.state);
                state.throttle.clear();
                if flush.resets_time() {
                    state.position = None;
                }
            }
            gst::EventView::StreamStart(_) => {
                let mut state = lock(&self.state);
                state.throttle.clear();
                state.position = None;
            }
            gst::EventView::CustomDownstreamSticky(_) => {
                if let Some(target) = LetterTarget::from_event(&event) {
                    self.set_target(event.seqnum(), target);
                    let forwarded = self.pads.forward(&*element, event);
                    self.answer_reset(false);
                    return forwarded;
                }
            }
            _ => (),
        }
        self.pads.forward(&*element, event)
    }
}
