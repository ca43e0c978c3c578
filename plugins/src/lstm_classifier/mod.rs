#![doc = include_str!("README.md")]

use gst::glib;
use gst::prelude::*;

#[expect(missing_docs, reason = "what a property means stands in its blurb, and glib makes methods of it")]
mod imp;

glib::wrapper! {
    /// The element `lstm-classifier`.
    pub struct LstmClassifier(ObjectSubclass<imp::LstmClassifier>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "lstm-classifier", gst::Rank::NONE, LstmClassifier::static_type())
}
