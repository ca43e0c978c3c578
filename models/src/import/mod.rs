//! TFLite to ONNX: a small compiler for the networks of MediaPipe Holistic.
//!
//! It makes float32 models that ONNX Runtime's CPU kernels like: weights dense and in channels-first order, nothing
//! transposed between the input and the outputs, zero borders folded into the convolutions that read them, PReLU
//! written with operators that keep ONNX Runtime's blocked (NCHWc) layout, and outputs nobody reads left out.
//! [`quantize`] makes one with 8-bit integers of such a model.

mod compile;
mod convolution;
mod graph;
pub mod onnx;
mod operators;
mod quantize;
mod spare;

pub use quantize::{Table, convolution_output, dequantized, quantize};

pub use crate::tflite::Problem;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::tflite::Model;

/// Version of what the importer makes; a change makes imported files outdated.
pub const VERSION: u32 = 3;

/// ONNX operator set of imported models.
const OPSET: i64 = 17;
/// ONNX file format that goes with it.
const IR_VERSION: i64 = 8;
/// Metadata property of imported models: SHA-256 of the TFLite file.
const TFLITE_HASH: &str = "tflite_sha256";

/// What to make of a TFLite file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name of the network, used in error messages and as the name of the ONNX graph.
    pub name: String,
    /// Indices of outputs that are left out, with everything that only they need.
    pub pruned_outputs: Vec<usize>,
}

/// Why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} cannot be imported: {problem}")]
pub struct ImportError {
    /// Name of the network, as given in [`Options::name`].
    pub file: String,
    /// What is wrong and where.
    pub problem: Problem,
}

/// Compiles a TFLite model into an ONNX model: float32, the inputs and outputs of the TFLite file with their names,
/// order and shapes (channels last), less [`Options::pruned_outputs`].
///
/// # Errors
/// When the file is damaged, or uses an operator, data type or option that the compiler does not know.
pub fn convert(tflite: &[u8], options: &Options) -> Result<Vec<u8>, ImportError> {
    let graph = Model::parse(tflite)
        .and_then(|model| compile::compile(&model, options))
        .map_err(|problem| ImportError { file: options.name.clone(), problem })?;
    let model = onnx::ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: VERSION.to_string(),
        graph: Some(graph),
        opset_import: vec![onnx::OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: vec![onnx::StringStringEntryProto {
            key: TFLITE_HASH.to_owned(),
            value: hex(&Sha256::digest(tflite)),
        }],
    };
    Ok(model.encode_to_vec())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
