//! TFLite to ONNX: a small compiler for the networks of MediaPipe Holistic.

/// What to make of a TFLite file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name of the network, used in error messages and as the name of the ONNX graph.
    pub name: String,
    /// Indices of outputs that are left out, with everything that only they need.
    pub pruned_outputs: Vec<usize>,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ImportError {
    /// Name of the network, as given in [`Options::name`].
    pub file: String,
    /// What is wrong and where.
    pub problem: String,
}

/// Compiles a TFLite model into an ONNX model (opset 17, float32, the same inputs and outputs as the TFLite file less
/// [`Options::pruned_outputs`]).
///
/// # Errors
/// When the file is damaged, or uses an operator, data type or option that the compiler does not know.
pub fn convert(tflite: &[u8], options: &Options) -> Result<Vec<u8>, ImportError> {
    Err(ImportError {
        file: options.name.clone(),
        problem: format!(
            "{} bytes of TFLite cannot be imported by this build: the importer is not in it",
            tflite.len()
        ),
    })
}
