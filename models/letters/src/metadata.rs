//! What an ONNX classifier says about itself: the contract between whoever trained it and whoever runs it.
//!
//! The contract stands in the file's `metadata_props`, all values as text:
//!
//! | key | value |
//! |---|---|
//! | `labels` | JSON array of strings, in the order of the outputs |
//! | `window` | frames per input |
//! | `features` | `hand-1` or `holistic-1662` |
//! | `output` | `probabilities` or `logits` |
//! | `training_data`, `accuracy`, `created_by` | free text, shown to people, never interpreted |
//!
//! A file without some of the first four keys can be completed by [`Overrides`]; a value given in both places must
//! agree.

use std::collections::{BTreeMap, BTreeSet};

use crate::features::Layout;

/// Names of the metadata properties.
pub mod key {
    /// Labels in the order of the outputs, a JSON array.
    pub const LABELS: &str = "labels";
    /// Frames per input.
    pub const WINDOW: &str = "window";
    /// Layout of the input's rows.
    pub const FEATURES: &str = "features";
    /// What the output means.
    pub const OUTPUT: &str = "output";
    /// What the model was trained on.
    pub const TRAINING_DATA: &str = "training_data";
    /// What was measured, and on whom.
    pub const ACCURACY: &str = "accuracy";
    /// Program and command that wrote the file.
    pub const CREATED_BY: &str = "created_by";
}

/// Largest window a model may ask for, in frames.
pub const MAX_WINDOW: usize = 1024;

/// What a classifier's output means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// They sum to one (or to less; what is missing is "nothing").
    Probabilities,
    /// To be put through a softmax.
    Logits,
}

impl Meaning {
    /// The value as it stands in the metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probabilities => "probabilities",
            Self::Logits => "logits",
        }
    }
}

/// What has to be known about a classifier to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// One label per output, in order; all different, none empty.
    pub labels: Vec<String>,
    /// Frames per input, 1 to [`MAX_WINDOW`].
    pub window: usize,
    /// Layout of the input's rows.
    pub features: Layout,
    /// What the output means.
    pub output: Meaning,
}

/// Descriptions for a model that lacks them. `None` and an empty list say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// Labels in the order of the outputs.
    pub labels: Vec<String>,
    /// Frames per input.
    pub window: Option<usize>,
    /// Layout of the input's rows.
    pub features: Option<Layout>,
    /// What the output means.
    pub output: Option<Meaning>,
}

/// Why a model's description cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MetadataError {
    /// Said neither by the file nor by the configuration.
    #[error(
        "the model does not say its {}; add metadata properties of that name to the file, or set {}",
        list(keys, "`", "`"),
        list(keys, "letters.", "")
    )]
    Missing {
        /// The metadata properties and configuration keys.
        keys: Vec<&'static str>,
    },
    /// A metadata property that cannot be read.
    #[error("the model's metadata property `{key}` is `{value}`, but must be {expected}")]
    Invalid {
        /// The metadata property.
        key: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it should look like.
        expected: String,
    },
    /// File and configuration disagree.
    #[error(
        "the model's metadata says {key} = {model}, the configuration says {configured}; set letters.{key} to what the model says"
    )]
    Mismatch {
        /// The metadata property and configuration key.
        key: &'static str,
        /// The file's value.
        model: String,
        /// The configuration's value.
        configured: String,
    },
    /// Labels that could not be told apart.
    #[error(
        "the label `{label}` occurs twice or is empty; every output needs a label of its own (case does not count)"
    )]
    Labels {
        /// The offending label.
        label: String,
    },
}

impl Contract {
    /// Reads a model's `metadata_props` and completes them.
    ///
    /// # Errors
    /// [`MetadataError`] when something is missing, malformed or contradictory.
    pub fn read(properties: &BTreeMap<String, String>, overrides: &Overrides) -> Result<Self, MetadataError> {
        let labels = match properties.get(key::LABELS) {
            Some(text) => Some(serde_json::from_str::<Vec<String>>(text).map_err(|_| {
                invalid(key::LABELS, text, r#"a JSON array of texts, such as ["yes", "no"]"#)
            })?),
            None => None,
        };
        let window = match properties.get(key::WINDOW) {
            Some(text) => Some(
                text.trim()
                    .parse::<usize>()
                    .map_err(|_| invalid(key::WINDOW, text, "a whole number of frames"))?,
            ),
            None => None,
        };
        let features = match properties.get(key::FEATURES) {
            Some(text) => Some(
                Layout::from_name(text.trim())
                    .ok_or_else(|| invalid(key::FEATURES, text, &Layout::NAMES.join(" or ")))?,
            ),
            None => None,
        };
        let output = match properties.get(key::OUTPUT).map(|text| (text, text.trim())) {
            Some((_, "probabilities")) => Some(Meaning::Probabilities),
            Some((_, "logits")) => Some(Meaning::Logits),
            Some((text, _)) => {
                return Err(invalid(key::OUTPUT, text, "probabilities or logits"));
            }
            None => None,
        };

        let configured = (!overrides.labels.is_empty()).then(|| overrides.labels.clone());
        let labels = settle(key::LABELS, labels, configured, |labels| labels.join(" "))?;
        let window = settle(key::WINDOW, window, overrides.window, usize::to_string)?;
        let features =
            settle(key::FEATURES, features, overrides.features, |layout| layout.as_str().to_owned())?;
        let output = settle(key::OUTPUT, output, overrides.output, |output| output.as_str().to_owned())?;
        let is_said = [
            (key::LABELS, labels.is_some()),
            (key::WINDOW, window.is_some()),
            (key::FEATURES, features.is_some()),
            (key::OUTPUT, output.is_some()),
        ];
        let (Some(labels), Some(window), Some(features), Some(output)) = (labels, window, features, output)
        else {
            let missing = is_said.into_iter().filter(|(_, is_said)| !is_said);
            return Err(MetadataError::Missing { keys: missing.map(|(key, _)| key).collect() });
        };
        let contract = Self { labels, window, features, output };
        contract.validate()?;
        Ok(contract)
    }

    /// The four interpreted properties, as [`Self::read`] reads them back.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let labels = serde_json::Value::from(self.labels.clone()).to_string();
        BTreeMap::from([
            (key::LABELS.to_owned(), labels),
            (key::WINDOW.to_owned(), self.window.to_string()),
            (key::FEATURES.to_owned(), self.features.as_str().to_owned()),
            (key::OUTPUT.to_owned(), self.output.as_str().to_owned()),
        ])
    }

    fn validate(&self) -> Result<(), MetadataError> {
        if self.window == 0 || self.window > MAX_WINDOW {
            let expected = format!("1 to {MAX_WINDOW} frames");
            return Err(invalid(key::WINDOW, &self.window.to_string(), &expected));
        }
        if self.labels.is_empty() {
            return Err(invalid(
                key::LABELS,
                "[]",
                r#"a JSON array of at least one text, such as ["yes", "no"]"#,
            ));
        }
        let mut seen = BTreeSet::new();
        for label in &self.labels {
            // Letters are matched case-insensitively, so labels that differ in case only are one label.
            if label.trim().is_empty() || !seen.insert(label.to_lowercase()) {
                return Err(MetadataError::Labels { label: label.clone() });
            }
        }
        Ok(())
    }
}

fn settle<T: PartialEq>(
    key: &'static str,
    model: Option<T>,
    configured: Option<T>,
    show: impl Fn(&T) -> String,
) -> Result<Option<T>, MetadataError> {
    match (model, configured) {
        (Some(model), Some(configured)) if model != configured => {
            Err(MetadataError::Mismatch { key, model: show(&model), configured: show(&configured) })
        }
        (model, configured) => Ok(model.or(configured)),
    }
}

fn list(keys: &[&str], before: &str, after: &str) -> String {
    keys.iter().map(|key| format!("{before}{key}{after}")).collect::<Vec<_>>().join(", ")
}

fn invalid(key: &'static str, value: &str, expected: &str) -> MetadataError {
    let mut shown: String = value.chars().take(60).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    MetadataError::Invalid { key, value: shown, expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract {
            labels: vec!["A".into(), "B".into(), "thank you".into()],
            window: 32,
            features: Layout::Hand1,
            output: Meaning::Probabilities,
        }
    }

    #[test]
    fn properties_read_back() {
        let contract = contract();
        let read = Contract::read(&contract.properties(), &Overrides::default());
        assert_eq!(read, Ok(contract));
    }

    #[test]
    fn every_missing_property_is_named_and_can_be_configured() {
        let contract = contract();
        let overrides = Overrides {
            labels: contract.labels.clone(),
            window: Some(contract.window),
            features: Some(contract.features),
            output: Some(contract.output),
        };
        assert_eq!(Contract::read(&BTreeMap::new(), &overrides).as_ref(), Ok(&contract));
        for key in [key::LABELS, key::WINDOW, key::FEATURES, key::OUTPUT] {
            let mut properties = contract.properties();
            properties.remove(key);
            let error = Contract::read(&properties, &Overrides::default()).unwrap_err();
            assert_eq!(error, MetadataError::Missing { keys: vec![key] });
            assert!(error.to_string().contains(&format!("letters.{key}")));
            assert_eq!(Contract::read(&properties, &overrides), Ok(contract.clone()));
        }
    }

    #[test]
    fn contradictions_are_errors() {
        let overrides = Overrides { window: Some(16), ..Overrides::default() };
        let error = Contract::read(&contract().properties(), &overrides).unwrap_err();
        assert_eq!(
            error,
            MetadataError::Mismatch { key: key::WINDOW, model: "32".into(), configured: "16".into() }
        );
    }

    #[test]
    fn malformed_properties_are_errors() {
        for (key, value) in [
            (key::LABELS, "A,B,C"),
            (key::LABELS, "[]"),
            (key::LABELS, "[1, 2]"),
            (key::WINDOW, "many"),
            (key::WINDOW, "0"),
            (key::WINDOW, "1025"),
            (key::FEATURES, "hand-2"),
            (key::OUTPUT, "scores"),
        ] {
            let mut properties = contract().properties();
            properties.insert(key.to_owned(), value.to_owned());
            match Contract::read(&properties, &Overrides::default()) {
                Err(MetadataError::Invalid { key: named, .. }) => assert_eq!(named, key),
                other => panic!("{key} = {value}: {other:?}"),
            }
        }
        for labels in [r#"["A", "a"]"#, r#"["A", " "]"#] {
            let mut properties = contract().properties();
            properties.insert(key::LABELS.to_owned(), labels.to_owned());
            let error = Contract::read(&properties, &Overrides::default()).unwrap_err();
            assert!(matches!(error, MetadataError::Labels { .. }), "{error}");
        }
    }
}
