//! The configuration that this process runs with.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::{Config, ConfigError, Loaded, Loader, Misspelt, lookup};

static INSTALLED: RwLock<Option<Arc<Config>>> = RwLock::new(None);
/// What [`try_process`] found and nobody has been told of.
static MISSPELT: Mutex<Vec<Misspelt>> = Mutex::new(Vec::new());

/// Makes `config` the configuration of this process: element properties take their defaults from it.
///
/// Called once by the server before the first element is made; a later call replaces the configuration for elements
/// that are made after it.
pub fn install(config: Config) {
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
}

/// As [`install`], and relative paths are looked up in the folders of the files that were loaded first.
pub fn install_loaded(loaded: &Loaded) {
    lookup::set_config_files(&loaded.files);
    install(loaded.config.clone());
}

/// The configuration file that the environment variable `DACTYL_CONFIG` names; none if it is empty.
pub fn file_of_environment() -> Option<PathBuf> {
    std::env::var_os("DACTYL_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// The configuration of this process: the [installed](install) one, else the file that the environment variable
/// `DACTYL_CONFIG` names (none if it is empty) laid over the built-in one (with `DACTYL_SECTION__KEY` on top), else the built-in one.
///
/// The first call decides, so that every element of a process sees the same values.
///
/// # Errors
///
/// When the file named by `DACTYL_CONFIG` or an environment variable cannot be used. Nothing is remembered then.
pub fn try_process() -> Result<Arc<Config>, ConfigError> {
    if let Some(config) = &*INSTALLED.read().unwrap_or_else(PoisonError::into_inner) {
        return Ok(Arc::clone(config));
    }
    let loader = file_of_environment().into_iter().fold(Loader::new(), Loader::file);
    let loaded = loader.environment(std::env::vars_os()).load()?;
    lookup::set_config_files(&loaded.files);
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    Ok(Arc::clone(installed.get_or_insert_with(|| {
        *MISSPELT.lock().unwrap_or_else(PoisonError::into_inner) = loaded.misspelt;
        Arc::new(loaded.config)
    })))
}

/// The environment variables that [`try_process`] passed over and should be told of: to the first who asks.
pub fn take_misspelt() -> Vec<Misspelt> {
    std::mem::take(&mut *MISSPELT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// As [`try_process`], for places that cannot report an error, such as the defaults of an element's properties: a
/// configuration that cannot be used counts as the built-in one there, and `start` reports the error.
pub fn process() -> Arc<Config> {
    try_process().unwrap_or_else(|_| Arc::new(Config::builtin()))
}
