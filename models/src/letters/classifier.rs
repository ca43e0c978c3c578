//! A loaded letter classifier: its network and what is known about it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dactyl_config::{Kind, Letters};

use super::metadata::{Contract, Meaning, MetadataError, Overrides};
use crate::runtime::{Cancel, LoadError, Network, RunError, TensorInfo};

/// The project's own letter model, `models/weights/letters.onnx`.
const EMBEDDED: &[u8] = include_bytes!("../../weights/letters.onnx");
const EMBEDDED_NAME: &str = "letters.onnx (embedded)";

/// Why a classifier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The configured file is nowhere.
    #[error("letters.model: {0}")]
    NotFound(#[from] dactyl_config::NotFound),
    /// ONNX Runtime refused the file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its description is missing, malformed or contradicts the configuration.
    #[error("{name}: {source}")]
    Metadata {
        /// The model.
        name: String,
        /// What is wrong with the description.
        source: MetadataError,
    },
    /// Its tensors are not those of a classifier over a window.
    #[error(
        "{name}: {what}; a classifier takes one float32 tensor [1, {window}, {width}] and gives one [1, {classes}] \
             (window, features and labels as described by its metadata or the configuration)"
    )]
    Shape {
        /// The model.
        name: String,
        /// What was found instead.
        what: String,
        /// Frames per input, as described.
        window: usize,
        /// Values per frame of the described features.
        width: usize,
        /// Number of described labels.
        classes: usize,
    },
}

/// A classifier over a window of frames. Shared by all streams; its runs may overlap.
#[derive(Debug)]
pub struct Classifier {
    network: Network,
    contract: Contract,
}

impl Classifier {
    /// The project's own letter model, which is part of the program.
    ///
    /// # Errors
    /// [`ClassifierError::Load`] if ONNX Runtime cannot be loaded.
    pub fn embedded() -> Result<Self, ClassifierError> {
        Self::from_bytes(EMBEDDED_NAME, EMBEDDED, &Overrides::default())
    }

    /// Any ONNX classifier `[1, window, features] -> [1, classes]`.
    ///
    /// # Errors
    /// [`ClassifierError`] says what is wrong with the file or with its description.
    pub fn from_file(path: &Path, overrides: &Overrides) -> Result<Self, ClassifierError> {
        let network = Network::from_file(path)?;
        Self::new(&path.display().to_string(), network, overrides)
    }

    /// As [`Self::from_file`], of a file that is in memory; `name` is for messages.
    ///
    /// # Errors
    /// [`ClassifierError`] says what is wrong with the file or with its description.
    pub fn from_bytes(name: &str, bytes: &[u8], overrides: &Overrides) -> Result<Self, ClassifierError> {
        Self::new(name, Network::from_bytes(name, bytes)?, overrides)
    }

    /// The classifier that `config` describes: loaded once per process, as long as somebody holds it.
    ///
    /// `letters.model` at its default means the embedded model.
    ///
    /// # Errors
    /// [`ClassifierError`] says what is wrong with the file or with its description.
    pub fn shared(config: &Letters) -> Result<Arc<Self>, ClassifierError> {
        type Key = (Option<PathBuf>, Overrides);
        static LOADED: Mutex<Option<HashMap<Key, Weak<Classifier>>>> = Mutex::new(None);

        let embedded = config.model == dactyl_config::Config::builtin().letters.model;
        let path = if embedded { None } else { Some(dactyl_config::find(&config.model, Kind::File)?) };
        let overrides = Overrides::from(config);
        let key = (path, overrides);
        // A classifier loads in milliseconds: whoever comes second may wait for the first.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.get_or_insert_default();
        loaded.retain(|_, classifier| classifier.strong_count() > 0);
        if let Some(classifier) = loaded.get(&key).and_then(Weak::upgrade) {
            return Ok(classifier);
        }
        let classifier = Arc::new(match &key.0 {
            Some(path) => Self::from_file(path, &key.1)?,
            None => Self::from_bytes(EMBEDDED_NAME, EMBEDDED, &key.1)?,
        });
        loaded.insert(key, Arc::downgrade(&classifier));
        Ok(classifier)
    }

    fn new(name: &str, network: Network, overrides: &Overrides) -> Result<Self, ClassifierError> {
        let contract = Contract::read(network.metadata(), overrides)
            .map_err(|source| ClassifierError::Metadata { name: name.to_owned(), source })?;
        if let Err(what) = check_shapes(network.inputs(), network.outputs(), &contract) {
            return Err(ClassifierError::Shape {
                name: name.to_owned(),
                what,
                window: contract.window,
                width: contract.features.width(),
                classes: contract.labels.len(),
            });
        }
        Ok(Self { network, contract })
    }

    /// One label per class, in the order of the distributions.
    pub fn labels(&self) -> &[String] {
        &self.contract.labels
    }

    /// Frames per window.
    pub fn window(&self) -> usize {
        self.contract.window
    }

    /// What is known about the model.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The file's metadata properties, with those that nobody interprets.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        self.network.metadata()
    }

    /// The distribution over the labels for one window of rows, `window` x width of the features, row-major.
    ///
    /// # Errors
    /// [`RunError::Cancelled`], or [`RunError`] as ONNX Runtime reports it.
    pub fn classify(&self, rows: &[f32], cancel: &Cancel) -> Result<Vec<f32>, RunError> {
        let mut output = vec![0.0; self.contract.labels.len()];
        self.network.run(&[rows], &mut [&mut output], cancel)?;
        if self.contract.output == Meaning::Logits {
            softmax(&mut output);
        }
        Ok(output)
    }
}

/// Dimensions of a model that are not fixed (-1) fit any size.
fn check_shapes(inputs: &[TensorInfo], outputs: &[TensorInfo], contract: &Contract) -> Result<(), String> {
    let wanted = [1, contract.window, contract.features.width()];
    check_shape("input", inputs, &wanted)?;
    check_shape("output", outputs, &[1, contract.labels.len()])
}

fn check_shape(kind: &str, tensors: &[TensorInfo], wanted: &[usize]) -> Result<(), String> {
    let [tensor] = tensors else {
        return Err(format!("it has {} {kind}s", tensors.len()));
    };
    let fits = tensor.shape.len() == wanted.len()
        && tensor
            .shape
            .iter()
            .zip(wanted)
            .all(|(has, wants)| *has < 0 || usize::try_from(*has) == Ok(*wants));
    if fits { Ok(()) } else { Err(format!("its {kind} `{}` has the shape {:?}", tensor.name, tensor.shape)) }
}

fn softmax(values: &mut [f32]) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for value in values.iter_mut() {
        *value = (*value - largest).exp();
    }
    let sum: f32 = values.iter().sum();
    for value in values {
        *value /= sum;
    }
}
