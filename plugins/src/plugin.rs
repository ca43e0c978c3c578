//! What GStreamer looks for in the shared library.

#![expect(missing_docs, reason = "the macro's items carry no documentation")]

use gst::glib;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    crate::frame::register();
    crate::holistic_keypoints::register(plugin)?;
    crate::lstm_classifier::register(plugin)?;
    crate::temporal_smoother::register(plugin)?;
    crate::feedback_throttle::register(plugin)
}

gst::plugin_define!(
    dactyl,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    // Whoever asks for an element, as `gst-inspect-1.0 --exists` does, takes this for a version of GStreamer and wants its
    // own at least.
    env!("GSTREAMER_VERSION"),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    concat!("Dactyl ", env!("CARGO_PKG_VERSION")),
    "Dactyl"
);
