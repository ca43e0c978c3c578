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

use crate::pipeline::takes_pictures;
use crate::web_networks::WebNetworks;

/// Models that stay in memory as long as this value: pipelines that want them take them from there, also when no other
/// session has them.
pub(crate) struct Models {
    /// SHA-256 of every network, by file name.
    pub(crate) hashes: BTreeMap<String, String>,
    pub(crate) for_browsers: WebNetworks,
    /// `None` where every pipeline takes landmarks.
    _networks: Option<Networks>,
    classifier: Arc<Classifier>,
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
        let takes_pictures = takes_pictures(&config.pipeline);
        let is_optional = |file: &str| if file == LIBRARY_NAME { has_own_library } else { !takes_pictures };
        check_presence(&folder, &files, is_optional)?;
        let for_browsers = WebNetworks::new(&folder, &Networks::files(), &files);
        let load = || Networks::load(&folder, models::parts(&config.holistic));
        let networks = takes_pictures.then(load).transpose()?;
        let classifier = models::classifier(&config.letters)?;
        if let Some(networks) = &networks {
            networks.warm()?;
        }
        let networks_only = files.into_iter().filter(|file| file.file != LIBRARY_NAME);
        let hashes = networks_only.filter_map(|file| Some((file.file, file.sha256?))).collect();
        Ok(Self { hashes, for_browsers, _networks: networks, classifier })
    }

    /// What the classifier sees of a frame, as its file says.
    pub(crate) fn features(&self) -> &'static str {
        self.classifier.contract().features.as_str()
    }
}

fn check_presence(folder: &Path, files: &[Status], is_optional: impl Fn(&str) -> bool) -> Result<()> {
    let missing: Vec<&str> = files
        .iter()
        .filter(|file| file.state == FileState::Missing && !is_optional(&file.file))
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
