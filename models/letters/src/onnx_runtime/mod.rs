//! ONNX Runtime, as far as classifiers need it: one environment for the whole process, and runs that another thread can end.

mod library;
mod session;

pub use library::{LIBRARY_NAME, LibraryError, OnnxRuntime, build_info};
pub(crate) use session::OnnxNetwork;
pub use session::{LoadError, RunError, TensorInfo};
