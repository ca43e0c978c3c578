//! What an element checks before it loads anything.

use std::path::{Path, PathBuf};

use dactyl_models::runtime;

/// Refuses to start on a configuration that cannot be used: property defaults cannot report it.
pub(crate) fn check_configuration() -> Result<(), gst::ErrorMessage> {
    dactyl_config::try_process().map(drop).map_err(|error| {
        gst::error_msg!(gst::ResourceError::Settings, ("The configuration cannot be used: {error}"))
    })
}

/// Loads the ONNX Runtime that was fetched into a folder of networks, where the configuration names no other and the
/// process has none yet. Without one there, the configuration's folder is looked into when a network is loaded.
pub(crate) fn load_runtime_of(models: &Path) -> Result<(), gst::ErrorMessage> {
    let library = models.join(runtime::LIBRARY_NAME);
    if !dactyl_config::process().inference.runtime.is_empty() || !library.is_file() {
        return Ok(());
    }
    runtime::init(&library).map_err(|error| gst::error_msg!(gst::LibraryError::Init, ("{error}")))
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
