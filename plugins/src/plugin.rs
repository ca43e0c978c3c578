//! What GStreamer looks for in the shared library.

#![expect(missing_docs, reason = "the macro's items carry no documentation")]

use gst::glib;

fn plugin_init(_plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    crate::frame::register();
    Ok(())
}

gst::plugin_define!(
    dactyl,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    env!("CARGO_PKG_VERSION"),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "Dactyl"
);
