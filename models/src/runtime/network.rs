//! One network, shared by all streams: an ONNX file on ONNX Runtime, or a TFLite file on our own kernels.

use std::collections::BTreeMap;
use std::ffi::{CString, NulError};
use std::path::Path;

use ort::AsPointer;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType, TensorRef, TensorRefMut, ValueType};

use super::cancel::{Cancel, Cancelled};
use super::library::{LibraryError, environment};
use crate::convnet::Convnet;

/// A network could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// ONNX Runtime itself is missing or unusable.
    #[error(transparent)]
    Library(#[from] LibraryError),
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
    /// There are no kernels for a TFLite file's layers, or it is damaged.
    #[error("{name} can't be computed: {cause}")]
    Convnet {
        /// The network's name.
        name: String,
        /// What is wrong, and where.
        cause: String,
    },
    /// An input or output is no float32 tensor.
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

/// A network in memory. All streams run the same one, at the same time if they like.
#[derive(Debug)]
pub struct Network {
    name: String,
    engine: Engine,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    metadata: BTreeMap<String, String>,
    #[cfg(test)]
    pub(crate) observer: observer::Observer,
}

/// What computes a network.
#[derive(Debug)]
enum Engine {
    OnnxRuntime { session: Session, input_names: Vec<CString>, output_names: Vec<CString> },
    Convnet(Convnet),
}

impl Network {
    /// Loads an ONNX file, with the file of its weights where they lie beside it (ONNX's external data).
    ///
    /// # Errors
    /// [`LoadError`] if ONNX Runtime is missing, the file unreadable or no network of float32 tensors.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        // What the system says of a file that can't be read is clearer than what ONNX Runtime does.
        std::fs::File::open(path)
            .map_err(|error| LoadError::Read { name: name.clone(), cause: error.to_string() })?;
        Self::new(&name, |mut builder| builder.commit_from_file(path))
    }

    /// Loads an ONNX file's content; `name` is for messages.
    ///
    /// # Errors
    /// As [`Network::from_file`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        Self::new(name, |mut builder| builder.commit_from_memory(bytes))
    }

    /// Loads a TFLite file of a convolutional network, without the outputs of the given indices, for our own kernels.
    ///
    /// # Errors
    /// [`LoadError`] if the file is unreadable or has layers that there are no kernels for.
    pub fn from_tflite(path: &Path, pruned_outputs: &[usize]) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| LoadError::Read { name: name.clone(), cause: error.to_string() })?;
        let convnet = Convnet::new(&bytes, pruned_outputs)
            .map_err(|problem| LoadError::Convnet { name: name.clone(), cause: problem.to_string() })?;
        Ok(Self {
            name,
            inputs: convnet.inputs().to_vec(),
            outputs: convnet.outputs().to_vec(),
            engine: Engine::Convnet(convnet),
            metadata: BTreeMap::new(),
            #[cfg(test)]
            observer: observer::Observer::default(),
        })
    }

    fn new(
        name: &str,
        commit: impl FnOnce(SessionBuilder) -> ort::Result<Session>,
    ) -> Result<Self, LoadError> {
        let environment = environment()?;
        let refused = |cause: String| LoadError::Network { name: name.to_owned(), cause };
        let session = builder(&environment).and_then(commit).map_err(|error| refused(error.to_string()))?;
        let inputs = tensors(name, session.inputs())?;
        let outputs = tensors(name, session.outputs())?;
        let metadata = read_metadata(&session).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            engine: Engine::OnnxRuntime {
                session,
                input_names: c_names(&inputs).map_err(|error| refused(error.to_string()))?,
                output_names: c_names(&outputs).map_err(|error| refused(error.to_string()))?,
            },
            inputs,
            outputs,
            metadata,
            #[cfg(test)]
            observer: observer::Observer::default(),
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

    /// Name given at loading, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inputs in the order that [`Network::run`] takes them.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// Outputs in the order that [`Network::run`] writes them.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// The file's custom metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
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
        match &self.engine {
            Engine::OnnxRuntime { session, input_names, output_names } => {
                self.run_session(session, (input_names, inputs), (output_names, outputs), cancel)
            }
            Engine::Convnet(convnet) => {
                #[cfg(test)]
                self.observer.run_begins(cancel);
                Ok(convnet.run(inputs, outputs, cancel)?)
            }
        }
    }

    fn run_session(
        &self,
        session: &Session,
        (input_names, inputs): (&[CString], &[&[f32]]),
        (output_names, outputs): (&[CString], &mut [&mut [f32]]),
        cancel: &Cancel,
    ) -> Result<(), RunError> {
        let failed =
            |error: ort::Error| RunError::Failed { name: self.name.clone(), cause: error.to_string() };
        let options = cancel.options().map_err(failed)?;
        #[cfg(test)]
        self.observer.run_begins(cancel);
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
        let input_names: Vec<_> = input_names.iter().map(|name| name.as_ptr()).collect();
        let output_names: Vec<_> = output_names.iter().map(|name| name.as_ptr()).collect();
        let input_values: Vec<_> = inputs.iter().map(|value| value.ptr()).collect();
        let mut output_values: Vec<_> = outputs.iter().map(|value| value.ptr().cast_mut()).collect();

        // `Session::run` of ort takes `&mut self`, as ONNX Runtime's promise that `Run` is thread-safe does not hold
        // for every execution provider. It does for the CPU provider, the only one registered here, and a session
        // for every thread would cost 14 to 16 MB for the pose network alone.
        // SAFETY: names, values and options outlive the call; every output is a tensor of the network's own shape
        // and borrowed mutably here; the session is only read.
        let status = unsafe {
            (ort::api().Run)(
                session.ptr().cast_mut(),
                options.ptr(),
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
        // One thread a run: throughput comes from running several frames, see `Slots`.
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_env_allocators()?
        // Weights stay for good: in the shared pool they would lie between buffers that come and go.
        .with_device_allocated_initializers()?)
}

fn tensors(network: &str, outlets: &[Outlet]) -> Result<Vec<TensorInfo>, LoadError> {
    let tensor = |outlet: &Outlet| match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
            Ok(TensorInfo { name: outlet.name().to_owned(), shape: shape.to_vec() })
        }
        other => Err(LoadError::Type {
            name: network.to_owned(),
            tensor: outlet.name().to_owned(),
            found: match other {
                ValueType::Tensor { ty, .. } => format!("a tensor of {ty}"),
                _ => "no tensor".to_owned(),
            },
        }),
    };
    outlets.iter().map(tensor).collect()
}

fn c_names(tensors: &[TensorInfo]) -> Result<Vec<CString>, NulError> {
    tensors.iter().map(|tensor| CString::new(tensor.name.as_str())).collect()
}

fn read_metadata(session: &Session) -> ort::Result<BTreeMap<String, String>> {
    let metadata = session.metadata()?;
    let keys = metadata.custom_keys()?;
    Ok(keys.into_iter().filter_map(|key| metadata.custom(&key).map(|value| (key, value))).collect())
}

/// Lets tests count a network's runs, and cancel one of them.
#[cfg(test)]
pub(crate) mod observer {
    use std::sync::OnceLock;

    use super::Cancel;

    type Notify = dyn Fn(&Cancel) + Send + Sync;

    #[derive(Default)]
    pub(crate) struct Observer(OnceLock<Box<Notify>>);

    impl Observer {
        /// Has `notify` called whenever a run begins, with the handle that can end it.
        pub(crate) fn set(&self, notify: Box<Notify>) {
            assert!(self.0.set(notify).is_ok(), "observed twice");
        }

        pub(super) fn run_begins(&self, cancel: &Cancel) {
            if let Some(notify) = self.0.get() {
                notify(cancel);
            }
        }
    }

    impl std::fmt::Debug for Observer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("Observer")
        }
    }
}
