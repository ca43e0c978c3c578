#![doc = include_str!("README.md")]

use gst::glib;
use gst::prelude::*;

#[expect(missing_docs, reason = "what a property means stands in its blurb, and glib makes methods of it")]
mod imp;
mod parts;
mod time;

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
