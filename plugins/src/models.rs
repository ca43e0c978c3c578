//! Models as the configuration names them: in memory once in a process, for all elements.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dactyl_config::{Config, Features, Holistic, Kind, Letters, Output, Part};
use dactyl_holistic::Parts;
use dactyl_letters::{
    Classifier, ClassifierError, LIBRARY_NAME, Layout, LibraryError, Meaning, OnnxRuntime, Overrides,
};

/// Why the configured classifier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file is nowhere.
    #[error("letters.model: {0}")]
    NotFound(#[from] dactyl_config::NotFound),
    /// ONNX Runtime is missing or unusable.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// There is something wrong with the file, or with its description.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
}

/// The ONNX Runtime that this process's configuration names, loaded by the first call.
///
/// # Errors
/// [`LibraryError`] if it is no usable ONNX Runtime.
pub fn onnx_runtime() -> Result<OnnxRuntime, LibraryError> {
    let config = dactyl_config::process();
    let library = if config.inference.runtime.is_empty() {
        dactyl_config::find_or_place(&config.models.directory).join(LIBRARY_NAME)
    } else {
        // Not found as a file: left to the loader, which also searches the system's library folders.
        dactyl_config::find(&config.inference.runtime, Kind::File)
            .unwrap_or_else(|_| PathBuf::from(&config.inference.runtime))
    };
    OnnxRuntime::load(&library)
}

/// The classifier that `config` describes: loaded once per process, as long as somebody holds it. `letters.model` at its
/// default means the model that is part of the program.
///
/// # Errors
/// [`ModelError`] says what is wrong with the file or with its description.
pub fn classifier(config: &Letters) -> Result<Arc<Classifier>, ModelError> {
    type Key = (Option<PathBuf>, Overrides);
    static LOADED: Mutex<Option<HashMap<Key, Weak<Classifier>>>> = Mutex::new(None);

    let is_embedded = config.model == Config::builtin().letters.model;
    let path = if is_embedded { None } else { Some(dactyl_config::find(&config.model, Kind::File)?) };
    let key = (path, overrides(config));
    // A classifier loads in milliseconds: whoever comes second may wait for the first.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    loaded.retain(|_, classifier| classifier.strong_count() > 0);
    if let Some(classifier) = loaded.get(&key).and_then(Weak::upgrade) {
        return Ok(classifier);
    }
    let runtime = onnx_runtime()?;
    let classifier = Arc::new(match &key.0 {
        Some(path) => Classifier::from_file(&runtime, path, &key.1)?,
        None => Classifier::embedded(&runtime, &key.1)?,
    });
    loaded.insert(key, Arc::downgrade(&classifier));
    Ok(classifier)
}

/// What the configuration says about a model that does not say it itself.
pub fn overrides(letters: &Letters) -> Overrides {
    Overrides {
        labels: letters.labels.clone(),
        window: usize::try_from(letters.window).ok(),
        features: match letters.features {
            Features::Auto => None,
            Features::Hand1 => Some(Layout::Hand1),
            Features::Holistic1662 => Some(Layout::Holistic1662),
        },
        output: match letters.output {
            Output::Auto => None,
            Output::Probabilities => Some(Meaning::Probabilities),
            Output::Logits => Some(Meaning::Logits),
        },
    }
}

/// Which networks the configuration has run.
pub fn parts(holistic: &Holistic) -> Parts {
    let has = |part| holistic.parts.contains(&part);
    Parts { hands: has(Part::Hands), hands_alone: holistic.hands_alone, face: has(Part::Face) }
}

/// What the configuration says matters more.
pub fn profile(profile: dactyl_config::Profile) -> dactyl_holistic::Profile {
    match profile {
        dactyl_config::Profile::Exact => dactyl_holistic::Profile::Exact,
        dactyl_config::Profile::Fast => dactyl_holistic::Profile::Fast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_classifier_serves_all_who_ask_for_the_same() {
        let letters = Config::builtin().letters;
        let first = classifier(&letters).unwrap();
        assert!(Arc::ptr_eq(&first, &classifier(&letters).unwrap()));
        let wrong = Letters { window: 16, ..letters };
        let error = classifier(&wrong).unwrap_err().to_string();
        assert!(error.contains("letters.window"), "{error}");
    }

    #[test]
    fn a_classifier_that_is_nowhere_is_named_with_its_key() {
        let letters = Letters { model: "no/such/model.onnx".into(), ..Config::builtin().letters };
        let error = classifier(&letters).unwrap_err().to_string();
        assert!(error.starts_with("letters.model: ") && error.contains("no/such/model.onnx"), "{error}");
    }
}
