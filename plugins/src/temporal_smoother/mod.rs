#![doc = include_str!("README.md")]

use gst::glib;
use gst::prelude::*;

#[expect(missing_docs, reason = "what a property means stands in its blurb, and glib makes methods of it")]
mod imp;

glib::wrapper! {
    /// The element `temporal-smoother`.
    pub struct TemporalSmoother(ObjectSubclass<imp::TemporalSmoother>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "temporal-smoother",
        gst::Rank::NONE,
        TemporalSmoother::static_type(),
    )
}
