//! One ONNX file in memory, shared by all streams.

use std::collections::BTreeMap;
use std::ffi::{CString, NulError};
use std::path::Path;
use std::sync::Arc;

use dactyl_holistic::{Cancel, Cancelled, OnCancel};
use ort::AsPointer;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session};
use ort::value::{Outlet, TensorElementType, TensorRef, TensorRefMut, ValueType};

use super::library::OnnxRuntime;

/// A network could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("{name} can't be read: {cause}")]
    Read {
        /// The network's file.
        name: String,
        /// What the system said.
        cause: String,
    },
    /// ONNX Runtime refuses the network.
    #[error("{name} is no network that ONNX Runtime can run: {cause}")]
    Network {
        /// The network's name.
        name: String,
        /// What ONNX Runtime said.
        cause: String,
    },
    /// An input is no float32 tensor, or no output is one.
    #[error(
        "{name}: `{tensor}` is {found}, not a float32 tensor; export the network with float32 inputs and outputs"
    )]
    Type {
        /// The network's name.
        name: String,
        /// The input or output.
        tensor: String,
        /// Its type.
        found: String,
    },
}

/// A run gave no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// It was ended on purpose.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// ONNX Runtime failed.
    #[error("{name} failed: {cause}")]
    Failed {
        /// The network's name.
        name: String,
        /// What ONNX Runtime said.
        cause: String,
    },
    /// The result holds NaN or infinities.
    #[error(
        "{name} gives NaN or infinities for a window; its weights or its layers do not suit what it sees"
    )]
    NotFinite {
        /// The network's name.
        name: String,
    },
    /// A tensor of the caller does not have the network's size.
    #[error("{name}: {tensor} takes {expected} values, {found} were given")]
    Shape {
        /// The network's name.
        name: String,
        /// The input or output.
        tensor: String,
        /// Values it holds.
        expected: usize,
        /// Values given.
        found: usize,
    },
}

/// Name and shape of an input or output; -1 where the network leaves a dimension open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the network.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<i64>,
}

impl TensorInfo {
    /// The dimensions of one run: open ones are 1, as everything here runs with batch 1.
    pub fn dimensions(&self) -> Vec<usize> {
        self.shape.iter().map(|&dimension| usize::try_from(dimension).unwrap_or(1)).collect()
    }

    /// Values in the tensor of one run.
    pub fn values(&self) -> usize {
        self.dimensions().iter().product()
    }
}

/// What ends a run of ONNX Runtime. It only reads them while running.
struct Options(RunOptions);

impl OnCancel for Options {
    fn cancelled(&self) {
        if let Err(error) = self.0.terminate() {
            tracing::error!(%error, "a run in flight can't be ended");
        }
    }
}

/// A network in memory. All streams run the same one, at the same time if they like.
#[derive(Debug)]
pub(crate) struct OnnxNetwork {
    name: String,
    session: Session,
    input_names: Vec<CString>,
    output_names: Vec<CString>,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    metadata: BTreeMap<String, String>,
    bytes: u64,
}

impl OnnxNetwork {
    /// Loads an ONNX file, with the file of its weights where they lie beside it (ONNX's external data).
    ///
    /// # Errors
    /// [`LoadError`] if the file is unreadable or no network of float32 tensors.
    pub fn from_file(runtime: &OnnxRuntime, path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        // What the system says of a file that can't be read is clearer than what ONNX Runtime does.
        let length = std::fs::File::open(path)
            .and_then(|file| file.metadata())
            .map_err(|error| LoadError::Read { name: name.clone(), cause: error.to_string() })?
            .len();
        // PyTorch's exporter gives weights of their own file this name.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".data");
        let beside = std::fs::metadata(beside).map_or(0, |weights| weights.len());
        Self::new(runtime, &name, length + beside, |mut builder| builder.commit_from_file(path))
    }

    /// Loads an ONNX file's content; `name` is for messages.
    ///
    /// # Errors
    /// As [`OnnxNetwork::from_file`].
    pub fn from_bytes(runtime: &OnnxRuntime, name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        Self::new(runtime, name, bytes.len() as u64, |mut builder| builder.commit_from_memory(bytes))
    }

    fn new(
        runtime: &OnnxRuntime,
        name: &str,
        bytes: u64,
        commit: impl FnOnce(SessionBuilder) -> ort::Result<Session>,
    ) -> Result<Self, LoadError> {
        let refused = |cause: String| LoadError::Network { name: name.to_owned(), cause };
        let session =
            builder(runtime.environment()).and_then(commit).map_err(|error| refused(error.to_string()))?;
        let inputs =
            session.inputs().iter().map(|input| tensor(name, input)).collect::<Result<Vec<_>, _>>()?;
        let outputs = float_outputs(name, session.outputs())?;
        let metadata = read_metadata(&session).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            input_names: c_names(&inputs).map_err(|error| refused(error.to_string()))?,
            output_names: c_names(&outputs).map_err(|error| refused(error.to_string()))?,
            session,
            inputs,
            outputs,
            metadata,
            bytes,
        })
    }

    /// Gives the dimensions that the network leaves open the lengths that `inputs` and `outputs` have there; the others stay.
    pub fn close_dimensions(&mut self, inputs: &[&[usize]], outputs: &[&[usize]]) {
        let tensors = self.inputs.iter_mut().zip(inputs).chain(self.outputs.iter_mut().zip(outputs));
        for (tensor, lengths) in tensors {
            for (dimension, length) in tensor.shape.iter_mut().zip(*lengths) {
                if *dimension < 0 {
                    *dimension = i64::try_from(*length).unwrap_or(i64::MAX);
                }
            }
        }
    }

    /// Inputs in the order that [`OnnxNetwork::run`] takes them.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// Outputs in the order that [`OnnxNetwork::run`] writes them: those that are float32 tensors.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// The file's custom metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Size of its file, with that of its weights where they lie beside it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the network once. Slices are whole tensors, row-major float32. A trace span `network` with the network's `name`
    /// lasts as long as the run.
    ///
    /// # Errors
    /// [`RunError::Cancelled`] if `cancel` was or gets cancelled (the outputs then hold anything),
    /// [`RunError::Shape`] if a slice has the wrong length, [`RunError::Failed`] if ONNX Runtime fails.
    pub fn run(
        &self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        cancel: &Cancel,
    ) -> Result<(), RunError> {
        self.check(&self.inputs, inputs.iter().map(|slice| slice.len()))?;
        self.check(&self.outputs, outputs.iter().map(|slice| slice.len()))?;
        let _span = tracing::trace_span!("network", name = self.name).entered();
        let failed =
            |error: ort::Error| RunError::Failed { name: self.name.clone(), cause: error.to_string() };
        let options = Arc::new(Options(RunOptions::new().map_err(failed)?));
        cancel.watch(&options);
        if cancel.is_cancelled() {
            return Err(Cancelled.into());
        }

        let inputs = (self.inputs.iter().zip(inputs))
            .map(|(info, slice)| TensorRef::from_array_view((info.dimensions(), *slice)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(failed)?;
        let outputs = (self.outputs.iter().zip(outputs))
            .map(|(info, slice)| TensorRefMut::from_array_view_mut((info.dimensions(), &mut **slice)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(failed)?;
        let input_names: Vec<_> = self.input_names.iter().map(|name| name.as_ptr()).collect();
        let output_names: Vec<_> = self.output_names.iter().map(|name| name.as_ptr()).collect();
        let input_values: Vec<_> = inputs.iter().map(|value| value.ptr()).collect();
        let mut output_values: Vec<_> = outputs.iter().map(|value| value.ptr().cast_mut()).collect();

        // `Session::run` of ort takes `&mut self`, as ONNX Runtime's promise that `Run` is thread-safe does not hold
        // for every execution provider. It does for the CPU provider, the only one registered here.
        // SAFETY: names, values and options outlive the call; every output is a tensor of the network's own shape
        // and borrowed mutably here; the session is only read.
        let status = unsafe {
            (ort::api().Run)(
                self.session.ptr().cast_mut(),
                options.0.ptr(),
                input_names.as_ptr(),
                input_values.as_ptr(),
                input_values.len(),
                output_names.as_ptr(),
                output_names.len(),
                output_values.as_mut_ptr(),
            )
        };
        // SAFETY: the status comes from the call above and is taken over here.
        match unsafe { ort::Error::result_from_status(status) } {
            Ok(()) => Ok(()),
            Err(_) if cancel.is_cancelled() => Err(Cancelled.into()),
            Err(error) => Err(failed(error)),
        }
    }

    fn check(
        &self,
        tensors: &[TensorInfo],
        lengths: impl ExactSizeIterator<Item = usize>,
    ) -> Result<(), RunError> {
        let mismatch = |tensor: &str, expected, found| RunError::Shape {
            name: self.name.clone(),
            tensor: tensor.to_owned(),
            expected,
            found,
        };
        if lengths.len() != tensors.len() {
            return Err(mismatch("the list of tensors", tensors.len(), lengths.len()));
        }
        match tensors.iter().zip(lengths).find(|(tensor, length)| tensor.values() != *length) {
            Some((tensor, length)) => Err(mismatch(&tensor.name, tensor.values(), length)),
            None => Ok(()),
        }
    }
}

fn builder(environment: &ort::environment::Environment) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // One thread a run: throughput comes from several runs at a time.
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_env_allocators()?
        // Weights stay for good: in the shared pool they would lie between buffers that come and go.
        .with_device_allocated_initializers()?)
}

/// The outputs that are float32 tensors. Others, such as the label that scikit-learn's classifiers give beside the
/// probabilities, are not asked for.
fn float_outputs(network: &str, outlets: &[Outlet]) -> Result<Vec<TensorInfo>, LoadError> {
    let (mut floats, mut problem) = (Vec::new(), None);
    for outlet in outlets {
        match tensor(network, outlet) {
            Ok(float) => floats.push(float),
            Err(other) => problem = Some(other),
        }
    }
    match problem {
        Some(problem) if floats.is_empty() => Err(problem),
        _ => Ok(floats),
    }
}

fn tensor(network: &str, outlet: &Outlet) -> Result<TensorInfo, LoadError> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
            Ok(TensorInfo { name: outlet.name().to_owned(), shape: shape.to_vec() })
        }
        other => Err(LoadError::Type {
            name: network.to_owned(),
            tensor: outlet.name().to_owned(),
            found: match other {
                ValueType::Tensor { ty, .. } => format!("a tensor of {ty}"),
                _ => "a sequence or a map (skl2onnx writes tensors with options={\"zipmap\": False})"
                    .to_owned(),
            },
        }),
    }
}

fn c_names(tensors: &[TensorInfo]) -> Result<Vec<CString>, NulError> {
    tensors.iter().map(|tensor| CString::new(tensor.name.as_str())).collect()
}

fn read_metadata(session: &Session) -> ort::Result<BTreeMap<String, String>> {
    let metadata = session.metadata()?;
    let keys = metadata.custom_keys()?;
    Ok(keys.into_iter().filter_map(|key| metadata.custom(&key).map(|value| (key, value))).collect())
}
