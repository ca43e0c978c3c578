//! The configuration that this process runs with.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Config;

static INSTALLED: RwLock<Option<Arc<Config>>> = RwLock::new(None);

/// Makes `config` the configuration of this process: element properties take their defaults from it.
///
/// Called once by the server before the first element is made; a later call replaces the configuration for elements
/// that are made after it.
pub fn install(config: Config) {
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
}

/// The configuration of this process: the [installed](install) one, else the built-in one.
pub fn process() -> Arc<Config> {
    if let Some(config) = &*INSTALLED.read().unwrap_or_else(PoisonError::into_inner) {
        return Arc::clone(config);
    }
    Arc::new(Config::builtin())
}
