//! The models that all sessions share: in memory and warm before the first one begins.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dactyl_config::Config;
use dactyl_fetch::{FileState, Status};
use dactyl_holistic::Networks;
use dactyl_letters::{Classifier, LIBRARY_NAME};
use gstdactyl::models;

/// Models that stay in memory as long as this value: pipelines that want them take them from there, also when no other
/// session has them.
pub(crate) struct Models {
    /// SHA-256 of every network, by file name.
    pub(crate) hashes: BTreeMap<String, String>,
    _networks: Networks,
    _classifier: Arc<Classifier>,
}

impl Models {
    /// Loads the configured models, and runs each network once.
    ///
    /// # Errors
    ///
    /// What is missing or cannot be used, and how to mend it.
    pub(crate) fn load(config: &Config) -> Result<Self> {
        let folder = dactyl_config::find_or_place(&config.models.directory);
        let files = dactyl_fetch::list(&folder)
            .with_context(|| format!("the networks in {} cannot be read", folder.display()))?;
        let has_own_library = !config.inference.runtime.is_empty();
        check_presence(&folder, &files, has_own_library)?;
        let networks = Networks::load(&folder, models::parts(&config.holistic))?;
        let classifier = models::classifier(&config.letters)?;
        networks.warm()?;
        let networks_only = files.into_iter().filter(|file| file.file != LIBRARY_NAME);
        let hashes = networks_only.filter_map(|file| Some((file.file, file.sha256?))).collect();
        Ok(Self { hashes, _networks: networks, _classifier: classifier })
    }
}

fn check_presence(folder: &Path, files: &[Status], has_own_library: bool) -> Result<()> {
    let missing: Vec<&str> = files
        .iter()
        .filter(|file| file.state == FileState::Missing && !(file.file == LIBRARY_NAME && has_own_library))
        .map(|file| file.file.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "networks are missing in {}: {}. Run `dactyl models fetch`, or name the folder that has them with --models",
        folder.display(),
        missing.join(", ")
    )
}
