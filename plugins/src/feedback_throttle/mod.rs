#![doc = include_str!("README.md")]

use gst::glib;
use gst::prelude::*;

mod imp;

/// Time base of the element's `min-interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylThrottleClock")]
pub enum Clock {
    /// The pipeline's running time when a result arrives.
    #[enum_value(name = "Running time at which a result arrives (live)", nick = "running-time")]
    RunningTime,
    /// The frame's presentation time.
    #[enum_value(name = "Presentation time of the frame (files)", nick = "pts")]
    Pts,
}

impl From<dactyl_config::ThrottleClock> for Clock {
    fn from(clock: dactyl_config::ThrottleClock) -> Self {
        match clock {
            dactyl_config::ThrottleClock::RunningTime => Self::RunningTime,
            dactyl_config::ThrottleClock::Pts => Self::Pts,
        }
    }
}

/// What a payload looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylPayloadFormat")]
pub enum Format {
    /// One JSON object.
    #[enum_value(name = "One JSON object", nick = "json")]
    Json,
    /// One JSON object and a line end.
    #[enum_value(name = "One JSON object and a line end", nick = "json-lines")]
    JsonLines,
    /// The letter alone.
    #[enum_value(name = "The letter alone", nick = "letter")]
    Letter,
}

impl From<dactyl_config::PayloadFormat> for Format {
    fn from(format: dactyl_config::PayloadFormat) -> Self {
        match format {
            dactyl_config::PayloadFormat::Json => Self::Json,
            dactyl_config::PayloadFormat::JsonLines => Self::JsonLines,
            dactyl_config::PayloadFormat::Letter => Self::Letter,
        }
    }
}

glib::wrapper! {
    /// The element `feedback-throttle`.
    pub struct FeedbackThrottle(ObjectSubclass<imp::FeedbackThrottle>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "feedback-throttle",
        gst::Rank::NONE,
        FeedbackThrottle::static_type(),
    )
}
