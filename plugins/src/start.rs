//! What an element checks before it loads anything.

use std::path::{Path, PathBuf};

use gst::prelude::*;

/// Refuses to start on a configuration that cannot be used: property defaults cannot report it. What sets nothing in it
/// becomes a warning on the bus, once in a process.
pub(crate) fn check_configuration(element: &impl IsA<gst::Element>) -> Result<(), gst::ErrorMessage> {
    dactyl_config::try_process().map_err(|error| {
        gst::error_msg!(gst::ResourceError::Settings, ("The configuration cannot be used: {error}"))
    })?;
    for misspelt in dactyl_config::take_misspelt() {
        gst::element_warning!(element, gst::ResourceError::Settings, ("{misspelt}"));
    }
    Ok(())
}

/// Finds what a property names: from the working directory, as everywhere in GStreamer, else where the configuration
/// looks.
pub(crate) fn find(path: &str, kind: dactyl_config::Kind) -> Result<PathBuf, gst::ErrorMessage> {
    let typed = Path::new(path);
    let is_there = match kind {
        dactyl_config::Kind::File => typed.is_file(),
        dactyl_config::Kind::Directory => typed.is_dir(),
    };
    if is_there {
        return Ok(typed.to_owned());
    }
    dactyl_config::find(path, kind)
        .map_err(|error| gst::error_msg!(gst::ResourceError::NotFound, ("There is {error}")))
}
