//! Loads ONNX Runtime's shared library and holds the process's one environment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ort::AsPointer;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};

/// Name of ONNX Runtime's library in the folder of fetched models.
pub const LIBRARY_NAME: &str = "libonnxruntime.so";

/// ONNX Runtime could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "ONNX Runtime ({path}) can't be loaded: {cause}. Run `dactyl models fetch`, or name another library in inference.runtime"
)]
pub struct LibraryError {
    /// The library.
    pub path: PathBuf,
    /// What the loader said.
    pub cause: String,
}

/// Bytes by which the pool of buffers grows: several runs of an LSTM of the usual size take less.
const STEP: usize = 1 << 20;

// Kept for the life of the process: unloading ONNX Runtime while its threads end is not safe.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// ONNX Runtime in memory. A process has one; clones are the same.
#[derive(Debug, Clone)]
pub struct OnnxRuntime(Environment);

impl OnnxRuntime {
    /// Loads ONNX Runtime from `library`, a file or a name that the system's loader finds, unless this process has loaded one
    /// already.
    ///
    /// # Errors
    /// [`LibraryError`] if the file is no usable ONNX Runtime; a later call may name another file.
    pub fn load(library: &Path) -> Result<Self, LibraryError> {
        let mut environment = lock();
        if let Some(environment) = &*environment {
            return Ok(Self(environment.clone()));
        }
        let loaded = load(library)?;
        *environment = Some(loaded.clone());
        Ok(Self(loaded))
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.0
    }
}

/// Build information of the library in use, as it gives it; `None` before it is loaded.
pub fn build_info() -> Option<&'static str> {
    lock().as_ref().map(|_| ort::info())
}

fn lock() -> MutexGuard<'static, Option<Environment>> {
    ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(library: &Path) -> Result<Environment, LibraryError> {
    let failed = |cause: String| LibraryError { path: library.to_owned(), cause };
    let built = ort::init_from(library)
        .map_err(|error| failed(error.to_string()))?
        .with_name("dactyl")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    built.set_log_level(LogLevel::Warning);
    share_buffers(&built).map_err(|error| failed(error.to_string()))?;
    Ok(built)
}

/// Gives all networks one pool of buffers for what lies between their layers, instead of one for each that grows to its
/// greatest need and keeps it.
fn share_buffers(environment: &Environment) -> ort::Result<()> {
    let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let keys = [c"initial_chunk_size_bytes".as_ptr(), c"max_power_of_two_extend_bytes".as_ptr()];
    let values = [STEP; 2];
    let api = ort::api();
    let mut arena = std::ptr::null_mut();
    // SAFETY: keys and values outlive the call and are as many as it is told.
    unsafe {
        let status = (api.CreateArenaCfgV2)(keys.as_ptr(), values.as_ptr(), keys.len(), &raw mut arena);
        ort::Error::result_from_status(status)?;
    }
    // SAFETY: environment, description and settings are alive; the settings are copied and then released once.
    unsafe {
        let status = (api.CreateAndRegisterAllocator)(environment.ptr().cast_mut(), info.ptr(), arena);
        (api.ReleaseArenaCfg)(arena);
        ort::Error::result_from_status(status)
    }
}

/// ONNX Runtime's messages as `tracing` events. It reports a run that was ended on purpose as an error.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    if message.contains("terminate flag") {
        tracing::trace!(target: "onnxruntime", category, location, "{message}");
        return;
    }
    match level {
        LogLevel::Fatal | LogLevel::Error => {
            tracing::error!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Info => tracing::info!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Verbose => tracing::debug!(target: "onnxruntime", category, location, "{message}"),
    }
}
