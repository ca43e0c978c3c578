//! The mean over the last distributions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use dactyl_config::{Smoothing, keys};
use dactyl_letters::MovingAverage;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::caps::{self, ClassProbabilitiesInfo};
use crate::configured::FromKey;
use crate::flow::{Filter, Pads, always_pads, lock, result_for};
use crate::frame;

const STAGE: &str = "temporal-smoother";

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "temporal-smoother",
        gst::DebugColorFlags::empty(),
        Some("Smoothing of class probabilities"),
    )
});

struct State {
    info: Option<ClassProbabilitiesInfo>,
    average: MovingAverage,
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::TemporalSmoother)]
pub struct TemporalSmoother {
    pads: Pads,
    #[property(
        name = "history", nick = "History", key = keys::smoothing::history(), mutable_playing,
        type = u32, member = history, get, set
    )]
    settings: Mutex<Smoothing>,
    state: Mutex<State>,
    #[property(
        nick = "Bad buffers",
        blurb = "Number of buffers skipped because they did not hold what the caps say.",
        get
    )]
    bad_buffers: AtomicU64,
}

impl TemporalSmoother {
    fn set_caps(&self, caps: &gst::CapsRef) -> Result<(), gst::LoggableError> {
        let info = ClassProbabilitiesInfo::from_caps(caps)
            .map_err(|error| gst::loggable_error!(CAT, "unusable caps: {error}"))?;
        let mut state = lock(&self.state);
        if state.info.as_ref() != Some(&info) {
            state.average.clear();
            state.info = Some(info);
        }
        Ok(())
    }

    /// The mean with this buffer's distribution. `Ok(None)` if the buffer holds none.
    fn smooth(&self, buffer: &gst::BufferRef, history: u32) -> Result<Option<Vec<f32>>, gst::FlowError> {
        let mut state = lock(&self.state);
        let State { info, average } = &mut *state;
        let info = info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        let distribution = buffer.map_readable().ok().and_then(|bytes| info.read(&bytes));
        average.set_history(usize::try_from(history).unwrap_or(usize::MAX));
        Ok(distribution.map(|distribution| average.push(&distribution)))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for TemporalSmoother {
    const NAME: &'static str = "GstDactylTemporalSmoother";
    type Type = super::TemporalSmoother;
    type ParentType = gst::Element;

    fn new() -> Self {
        let settings = dactyl_config::process().smoothing.clone();
        Self {
            pads: Pads::new::<Self>(),
            state: Mutex::new(State {
                info: None,
                average: MovingAverage::new(usize::try_from(settings.history).unwrap_or(usize::MAX)),
            }),
            settings: Mutex::new(settings),
            bad_buffers: AtomicU64::new(0),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for TemporalSmoother {
    fn constructed(&self) {
        self.parent_constructed();
        self.pads.add_to(&*self.obj());
    }
}

impl GstObjectImpl for TemporalSmoother {}

impl ElementImpl for TemporalSmoother {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Temporal smoother",
                "Filter/Analyzer",
                "Averages class probabilities over the last frames",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| always_pads(&caps::any_class_probabilities(), &caps::any_class_probabilities()));
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            let mut state = lock(&self.state);
            state.info = None;
            state.average.clear();
        }
        Ok(success)
    }
}

impl Filter for TemporalSmoother {
    // What goes in comes out, so that a filter behind this element sees the labels of the one in front of it.
    const FLAGS: gst::PadFlags = gst::PadFlags::PROXY_CAPS;

    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let begin = Instant::now();
        let history = lock(&self.settings).history;
        let Some(mean) = self.smooth(&buffer, history)? else {
            self.bad_buffers.fetch_add(1, Ordering::Relaxed);
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Skipped a buffer that holds no distribution"),
                ["{} bytes", buffer.size()]
            );
            return Ok(self.pads.withhold(&buffer));
        };
        let result = result_for(&buffer, ClassProbabilitiesInfo::write(&mean));
        if let Some(record) = frame::of(&buffer) {
            record.add_stage(STAGE, begin.elapsed());
        }
        self.pads.src.push(result)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        gst::log!(CAT, imp = self, "{:?}", event.type_());
        match event.view() {
            gst::EventView::Caps(caps) => {
                if let Err(error) = self.set_caps(caps.caps()) {
                    error.log_with_imp(self);
                    return false;
                }
            }
            gst::EventView::FlushStop(_) | gst::EventView::StreamStart(_) => {
                lock(&self.state).average.clear();
            }
            _ => (),
        }
        self.pads.forward(&*self.obj(), event)
    }
}
