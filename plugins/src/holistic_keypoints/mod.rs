#![doc = include_str!("README.md")]

use dactyl_models::holistic;
use gst::glib;
use gst::prelude::*;

mod imp;
mod time;

/// Groups of networks that run.
#[glib::flags(name = "GstDactylParts")]
pub(crate) enum Parts {
    /// Body: 33 landmarks; the other two depend on it.
    #[flags_value(name = "Body, 33 landmarks; the other two depend on it", nick = "pose")]
    POSE = 1 << 0,
    /// Both hands: 21 landmarks each.
    #[flags_value(name = "Both hands, 21 landmarks each", nick = "hands")]
    HANDS = 1 << 1,
    /// Face: 468 landmarks.
    #[flags_value(name = "Face, 468 landmarks", nick = "face")]
    FACE = 1 << 2,
}

impl Parts {
    fn configured(parts: &[dactyl_config::Part]) -> Self {
        parts
            .iter()
            .map(|part| match part {
                dactyl_config::Part::Pose => Self::POSE,
                dactyl_config::Part::Hands => Self::HANDS,
                dactyl_config::Part::Face => Self::FACE,
            })
            .collect()
    }
}

/// What matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylTrackerProfile")]
pub enum Profile {
    /// MediaPipe's landmarks.
    #[enum_value(name = "MediaPipe's landmarks", nick = "exact")]
    Exact,
    /// Time.
    #[enum_value(
        name = "Nearly the same landmarks in two thirds to three quarters of the time",
        nick = "fast"
    )]
    Fast,
}

impl From<dactyl_config::Profile> for Profile {
    fn from(profile: dactyl_config::Profile) -> Self {
        match profile {
            dactyl_config::Profile::Exact => Self::Exact,
            dactyl_config::Profile::Fast => Self::Fast,
        }
    }
}

impl From<Profile> for holistic::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Exact => Self::Exact,
            Profile::Fast => Self::Fast,
        }
    }
}

/// Time base of the tracker's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylTrackerClock")]
pub enum Clock {
    /// Presentation time of the frame.
    #[enum_value(name = "Presentation time of the frame", nick = "pts")]
    Pts,
    /// 33.333 ms a frame, as MediaPipe's Python.
    #[enum_value(name = "33.333 ms a frame, as MediaPipe's Python", nick = "fixed")]
    Fixed,
}

impl From<dactyl_config::TrackerClock> for Clock {
    fn from(clock: dactyl_config::TrackerClock) -> Self {
        match clock {
            dactyl_config::TrackerClock::Pts => Self::Pts,
            dactyl_config::TrackerClock::Fixed => Self::Fixed,
        }
    }
}

glib::wrapper! {
    /// The element `holistic-keypoints`.
    pub struct HolisticKeypoints(ObjectSubclass<imp::HolisticKeypoints>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "holistic-keypoints",
        gst::Rank::NONE,
        HolisticKeypoints::static_type(),
    )
}
