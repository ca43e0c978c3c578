//! A loaded letter classifier: its network and what is known about it.

use std::collections::BTreeMap;
use std::path::Path;

use dactyl_holistic::Cancel;

use crate::metadata::{Contract, Meaning, MetadataError, Overrides};
use crate::onnx_runtime::{LoadError, OnnxNetwork, OnnxRuntime, RunError};
use crate::shape;
use crate::trial::{self, Trial};

/// The project's own letter model, `models/weights/letters.onnx`.
const EMBEDDED: &[u8] = include_bytes!("../../weights/letters.onnx");
const EMBEDDED_NAME: &str = "letters.onnx (embedded)";

/// Multiplications from which on a run is costly, see [`Classifier::is_costly`]: about a millisecond of a core. The built-in
/// model has 5 million and an LSTM of 600,000 weights on 30 frames 18 million; handing such a run to a thread that gives way
/// cost up to 5 ms on a busy machine (99th percentile; 0.13 ms without).
const COSTLY: u64 = 30_000_000;

/// Probabilities of many labels, rounded, may sum to a little more than 1.
const TOLERANCE: f32 = 1e-3;

/// Why a classifier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The file can't be read, or ONNX Runtime refused it.
    #[error("{0}{cure}", cure = cure(.0))]
    Load(#[from] LoadError),
    /// Its description is missing, malformed or contradicts the configuration.
    #[error("{name}: {source}")]
    Metadata {
        /// The model.
        name: String,
        /// What is wrong with the description.
        source: MetadataError,
    },
    /// Its tensors are not those of a classifier over the window that is described.
    #[error("{name}: {problem}")]
    Shape {
        /// The model.
        name: String,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// It fails on a window.
    #[error(
        "{name} fails on {shows}: {cause}; it must take [1, {window}, {width}] and give [1, {classes}]: one \
         value for every label, the window and features that are described"
    )]
    Trial {
        /// The model.
        name: String,
        /// What the window shows.
        shows: &'static str,
        /// What ONNX Runtime said.
        cause: String,
        /// Frames per input, as described.
        window: usize,
        /// Values per frame of the described features.
        width: usize,
        /// Number of described labels.
        classes: usize,
    },
    /// Its output is not what it is said to be.
    #[error("{name}: {problem}")]
    Output {
        /// The model.
        name: String,
        /// What is wrong and what to do about it.
        problem: String,
    },
}

/// A classifier over a window of frames. Shared by all streams; its runs may overlap.
#[derive(Debug)]
pub struct Classifier {
    network: OnnxNetwork,
    contract: Contract,
    /// Whether a run takes so long that it counts as the analysis of a frame.
    is_costly: bool,
}

impl Classifier {
    /// The project's own letter model, which is part of the program.
    ///
    /// # Errors
    /// [`ClassifierError`] if `overrides` contradict its description.
    pub fn embedded(runtime: &OnnxRuntime, overrides: &Overrides) -> Result<Self, ClassifierError> {
        Self::from_bytes(runtime, EMBEDDED_NAME, EMBEDDED, overrides)
    }

    /// Any ONNX classifier `[1, window, features] -> [1, classes]`, or of windows whose rows lie one behind the other.
    ///
    /// # Errors
    /// [`ClassifierError`] says what is wrong with the file or with its description.
    pub fn from_file(
        runtime: &OnnxRuntime,
        path: &Path,
        overrides: &Overrides,
    ) -> Result<Self, ClassifierError> {
        let network = OnnxNetwork::from_file(runtime, path)?;
        Self::new(&path.display().to_string(), network, overrides)
    }

    /// As [`Self::from_file`], of a file that is in memory; `name` is for messages.
    ///
    /// # Errors
    /// [`ClassifierError`] says what is wrong with the file or with its description.
    pub fn from_bytes(
        runtime: &OnnxRuntime,
        name: &str,
        bytes: &[u8],
        overrides: &Overrides,
    ) -> Result<Self, ClassifierError> {
        Self::new(name, OnnxNetwork::from_bytes(runtime, name, bytes)?, overrides)
    }

    fn new(name: &str, mut network: OnnxNetwork, overrides: &Overrides) -> Result<Self, ClassifierError> {
        let contract = Contract::read(network.metadata(), overrides)
            .map_err(|source| ClassifierError::Metadata { name: name.to_owned(), source })?;
        let input = shape::check(network.inputs(), network.outputs(), &contract)
            .map_err(|problem| ClassifierError::Shape { name: name.to_owned(), problem })?;
        network.close_dimensions(&[&input], &[&[1, contract.labels.len()]]);
        let is_costly = is_costly(network.bytes(), contract.window);
        let classifier = Self { network, contract, is_costly };
        for trial in &trial::windows(classifier.window(), classifier.contract.features) {
            classifier.try_out(name, trial)?;
        }
        Ok(classifier)
    }

    /// One run: what a file says about its shapes and its output need not be so.
    fn try_out(&self, name: &str, trial: &Trial) -> Result<(), ClassifierError> {
        let shows = trial.shows;
        let output = self.run(&trial.rows, &Cancel::new()).map_err(|error| {
            let cause = match error {
                RunError::Failed { cause, .. } => cause,
                other => other.to_string(),
            };
            ClassifierError::Trial {
                name: name.to_owned(),
                shows,
                cause,
                window: self.contract.window,
                width: self.contract.features.width(),
                classes: self.contract.labels.len(),
            }
        })?;
        let wrong = |problem| Err(ClassifierError::Output { name: name.to_owned(), problem });
        if self.distribution(output.clone()).is_none() {
            return wrong(format!(
                "its output holds NaN or infinities: {shows} gives {output:.2?}; a layer divides by zero or takes a \
                 logarithm of it, or its weights are no numbers because the training diverged: mend that and export it anew"
            ));
        }
        let sum: f32 = output.iter().sum();
        let is_distribution =
            output.iter().all(|value| (0.0..=1.0).contains(value)) && sum <= 1.0 + TOLERANCE;
        if self.contract.output == Meaning::Probabilities && !is_distribution {
            return wrong(format!(
                "its output is said to be probabilities, but {shows} gives {output:.2?}; say `output` = `logits` in its \
                 metadata or set letters.output"
            ));
        }
        Ok(())
    }

    /// One label per class, in the order of the distributions.
    pub fn labels(&self) -> &[String] {
        &self.contract.labels
    }

    /// Frames per window.
    pub fn window(&self) -> usize {
        self.contract.window
    }

    /// Whether a run is so much work that it should count as the analysis of a frame and give way as that does: if every
    /// frame of the window were multiplied by every weight of the file, these were more than 30 million multiplications.
    /// Known from the file's size, so that a model is treated alike on every machine.
    pub fn is_costly(&self) -> bool {
        self.is_costly
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
    /// [`RunError::Cancelled`], [`RunError::NotFinite`] if there is none, or [`RunError`] as ONNX Runtime reports it.
    pub fn classify(&self, rows: &[f32], cancel: &Cancel) -> Result<Vec<f32>, RunError> {
        let output = self.run(rows, cancel)?;
        self.distribution(output).ok_or_else(|| RunError::NotFinite { name: self.network.name().to_owned() })
    }

    /// What the network gives for one window.
    fn run(&self, rows: &[f32], cancel: &Cancel) -> Result<Vec<f32>, RunError> {
        let mut output = vec![0.0; self.contract.labels.len()];
        self.network.run(&[rows], &mut [&mut output], cancel)?;
        Ok(output)
    }

    /// The distribution that an output stands for; `None` if it holds NaN or infinities. A logit of negative infinity is the
    /// probability 0.
    fn distribution(&self, mut output: Vec<f32>) -> Option<Vec<f32>> {
        if self.contract.output == Meaning::Logits {
            softmax(&mut output);
        }
        output.iter().all(|value| value.is_finite()).then_some(output)
    }
}

/// Of a network whose file has so many bytes, float32 weights for the most part, and takes so many frames.
fn is_costly(bytes: u64, window: usize) -> bool {
    let weights = bytes / size_of::<f32>() as u64;
    weights.saturating_mul(window as u64) > COSTLY
}

fn cure(error: &LoadError) -> &'static str {
    match error {
        LoadError::Network { .. } => {
            "; a letter model is an ONNX file of ONNX's own operators, and weights in a file of their own lie beside it: \
             export it anew"
        }
        _ => "",
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_costs_is_known_from_weights_and_frames() {
        assert!(!is_costly(EMBEDDED.len() as u64, 32));
        assert!(!is_costly(600_000 * 4, 30), "an LSTM on all keypoints");
        assert!(is_costly(5_000_000 * 4, 30), "a transformer");
        assert!(is_costly(u64::MAX, usize::MAX));
    }
}
